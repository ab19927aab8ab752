"""The fleet's own form of a dataset: a manifest beside its pictures, as one JSON object or as JSON Lines.

    {"name": "furniture-rooms", "version": "1.0", "licence": "CC0-1.0", "polarity": "white", "samples": [
      {"id": "lamp", "source": "source/lamp.png", "mask": "mask/lamp.png", "prompt": "a brass floor lamp"}]}

As JSON Lines, each line is a sample; the first may hold the fields of the dataset. Paths are relative to the manifest
and stay within its folder. `polarity` says how the masks are drawn: "white" (white is repainted; what counts if it is
left out), "black", or "transparent".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest, ObjectChanged
from inpaint_core.images import Limits
from inpaint_core.job import printable
from pydantic import BaseModel, ConfigDict, Field, model_validator

from inpaint_benchmark.datasets.checking import Picture, checked_sample
from inpaint_benchmark.datasets.facts import DatasetFacts, SampleFacts, checked, kebab
from inpaint_benchmark.datasets.files import inside, read_picture
from inpaint_benchmark.datasets.json_files import JsonLines, read_json_or_lines
from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, LoadedSample, Role
from inpaint_benchmark.datasets.places import located

#: What a folder is looked for in.
FILE_NAME = "manifest.json"
_Path = Annotated[str, Field(min_length=1, max_length=1_000)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_OF_SAMPLES = ("id", "source", "mask", "prompt")


class ManifestHeader(DatasetFacts):
    """The fields of the dataset."""

    polarity: Polarity = Polarity.WHITE


class Sha256s(BaseModel):
    """Of the files of a sample, in lower case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: _Sha256 | None = None
    mask: _Sha256 | None = None
    truth: _Sha256 | None = None
    reference: _Sha256 | None = None
    object_mask: _Sha256 | None = None
    effect_mask: _Sha256 | None = None


class ManifestSample(SampleFacts):
    """One sample. `Role` says what each picture is; `sha256`, where given, is compared."""

    source: _Path
    mask: _Path
    truth: _Path | None = None
    reference: _Path | None = None
    object_mask: _Path | None = None
    effect_mask: _Path | None = None
    sha256: Sha256s = Field(default_factory=Sha256s)

    @model_validator(mode="after")
    def _hashes_belong_to_pictures(self) -> ManifestSample:
        for role in Role:
            if getattr(self.sha256, role) and not getattr(self, role):
                raise ValueError(f"sha256.{role} is given, and the sample has no {role}")
        return self

    def paths(self) -> dict[Role, str]:
        """The pictures that the sample has, by role."""
        return {role: path for role in Role if (path := getattr(self, role)) is not None}

    def facts(self) -> SampleFacts:
        """The sample without its pictures."""
        return SampleFacts.model_validate(self.model_dump(include=set(SampleFacts.model_fields)))


def read(path: Path, said: Mapping[str, str], limits: Limits) -> LoadedDataset:
    """The dataset of a manifest, or of a folder that has a manifest.json.

    Its list is checked at once, as is whether each picture is there; the pictures when they are loaded. Raises
    `InvalidRequest` with the line or the sample, or `InputNotFound`. `said` replaces what the manifest says of the
    dataset.
    """
    path = path / FILE_NAME if path.is_dir() else path
    header, samples = _split(path)
    with located(path.name):
        facts = checked(ManifestHeader, {"name": kebab(path), **header, **said})
    entries = [_entry(path.parent, place, item, facts.polarity, limits) for place, item in samples]
    return LoadedDataset.of(facts, entries, path.name)


def _split(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, object]]]:
    """The fields of the dataset, and each sample with its place."""
    content = read_json_or_lines(path)
    header: Mapping[str, Any] = {}
    if isinstance(content, JsonLines):
        lines = content.values
        if lines and isinstance(first := lines[0][1], dict) and not any(name in first for name in _OF_SAMPLES):
            header, lines = first, lines[1:]
        return header, ((f"{path.name} line {number}", item) for number, item in lines)
    if not isinstance(content, dict) or not isinstance(samples := content.get("samples"), list):
        raise InvalidRequest(_not_a_manifest(path, content))
    header = {name: value for name, value in content.items() if name != "samples"}
    return header, ((f"{path.name} sample {number}", item) for number, item in enumerate(samples, start=1))


def _not_a_manifest(path: Path, content: object) -> str:
    if isinstance(content, dict) and content and all(isinstance(item, dict) for item in content.values()):
        return f"{path.name} is not a manifest but looks like a mapping file: say its kind, brushbench or pie-bench."
    return (
        f'{path.name} is not a manifest: that is an object with a list, {{"name": ..., "samples": [...]}}, or JSON '
        "Lines. For a dataset in another form, say its kind."
    )


def _entry(folder: Path, place: str, item: object, polarity: Polarity, limits: Limits) -> Entry:
    if not isinstance(item, dict):
        raise InvalidRequest(f"{place}: it must be an object, found {printable(repr(item))[:40]}.")
    if isinstance(item.get("id"), str):
        place = f"{place} ({printable(item['id'])!r})"
    with located(place):
        sample = checked(ManifestSample, item)
        paths = {role: inside(folder, name, role) for role, name in sample.paths().items()}
    return Entry(sample.id, place, partial(_load, sample, paths, polarity, limits))


def _load(sample: ManifestSample, paths: Mapping[Role, Path], polarity: Polarity, limits: Limits) -> LoadedSample:
    pictures = {}
    for role, path in paths.items():
        data = read_picture(path, limits)
        _compare(data, getattr(sample.sha256, role), role, sample.paths()[role])
        pictures[role] = Picture(data, sample.paths()[role])
    source, mask = pictures.pop(Role.SOURCE), pictures.pop(Role.MASK)
    return checked_sample(sample.facts(), source, mask, polarity=polarity, limits=limits, others=pictures)


def _compare(data: bytes, wanted: str | None, role: Role, name: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if wanted is not None and wanted != found:
        raise ObjectChanged(
            f"The {role} {name} is not the file that the manifest speaks of: its sha256 is {found}, and the manifest "
            f"says {wanted}. Fetch the dataset again, or correct the manifest if the change was meant.",
            role=str(role),
        )
