"""Ways to make a model quicker that deserve a measurement, by its family: `candidates.toml`, with a reason for each."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from importlib.util import find_spec
from typing import Annotated

from inpaint_core.acceleration import Accelerate, Acceleration, attention_word
from inpaint_core.card import ModelCard
from pydantic import BaseModel, ConfigDict, Field

#: As a mode: all of them.
CANDIDATES = "candidates"
_FILE = "candidates.toml"
_EVERY = "all"
#: What a CPU has not.
_GPU_ONLY = {"cuda-graphs", *map(attention_word, ("cudnn", "efficient", "flash", "flash-3", "xformers"))}


class Candidate(BaseModel):
    """One of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerate: Accelerate
    #: Names of families, or all.
    families: Annotated[tuple[str, ...], Field(min_length=1)]
    why: Annotated[str, Field(min_length=10)]
    #: A module that has to be installed.
    needs: str | None = None


@functools.cache
def all_candidates() -> tuple[Candidate, ...]:
    """In the order in which they are measured."""
    text = (files(__package__) / _FILE).read_text(encoding="utf-8")
    return tuple(Candidate.model_validate(each) for each in tomllib.loads(text)["candidate"])


def candidates_of(card: ModelCard, device: str) -> list[Acceleration]:
    """Those of a card: of its family, with words that it can have, on this device and with what is installed here."""
    return [
        each.accelerate
        for each in all_candidates()
        if {card.family, _EVERY} & set(each.families)
        and not each.accelerate.beyond(card.accelerations)
        and not (device == "cpu" and _GPU_ONLY & set(each.accelerate.words))
        and (each.needs is None or find_spec(each.needs) is not None)
    ]


def automatic(card: ModelCard, device: str) -> Acceleration:
    """What `auto` means for a card on this device."""
    return card.accelerate.without(_GPU_ONLY) if device == "cpu" else card.accelerate
