"""A publication as a file of this package: what it says of all its models, and of each."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated

from inpaint_core.errors import InvalidRequest
from pydantic import BaseModel, ConfigDict, Field

from inpaint_benchmark.datasets.facts import unknown

_Stars = Annotated[int, Field(ge=0, le=4)]


class PublishedFacts(BaseModel):
    """A row of its table of models, in its own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: int
    model: str
    release_date: str
    architecture: str
    size: str
    max_resolution: str
    key_characteristics: str


class PublishedModel(BaseModel):
    """What it says of one model. `card` is our name of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    card: str | None
    realism: _Stars | None
    adaptability: _Stars | None
    consistency: _Stars | None
    preservation: _Stars | None
    reproducibility: _Stars | None
    gpu_memory_gb: float | None
    inference_s: float | None
    cost_per_1k_usd: float | None
    steps: int | None
    facts: PublishedFacts
    #: Given where they are other than for the rest of the publication.
    device: str | None = None
    usd_per_hour: float | None = None


class Publication(BaseModel):
    """Numbers of one publication, all measured alike unless a model says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    title: str
    published_on: date | None
    device: str
    usd_per_hour: float
    pixels: int
    note: str
    models: tuple[PublishedModel, ...]

    def device_of(self, model: PublishedModel) -> str | None:
        """Where its numbers were measured; None: a vendor's own machines."""
        return model.device if "device" in model.model_fields_set else self.device

    def usd_per_hour_of(self, model: PublishedModel) -> float | None:
        """What an hour of that cost; None: it is paid per image."""
        return model.usd_per_hour if "usd_per_hour" in model.model_fields_set else self.usd_per_hour


def published_names() -> tuple[str, ...]:
    """Short names of the publications that this package holds."""
    files = resources.files("inpaint_benchmark.published").iterdir()
    return tuple(sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json")))


@cache
def read_publication(source: str) -> Publication:
    """A publication by its short name; `InvalidRequest` names those that there are."""
    names = published_names()
    if source not in names:
        raise InvalidRequest(unknown(source, names, "publication"), field="source")
    file = resources.files("inpaint_benchmark.published").joinpath(f"{source}.json")
    return Publication.model_validate_json(file.read_text(encoding="utf-8"))
