"""A dataset in the one form that every importer gives: facts at once, pictures one sample at a time.

dataset = read_dataset(Path("samples.json"))
for sample in dataset.samples:          # len(dataset.samples) is known before
    upload(sample.source, sample.mask)  # the mask: white is repainted
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import overload

from inpaint_core.errors import InvalidRequest

from inpaint_benchmark.datasets.facts import DatasetFacts, SampleFacts
from inpaint_benchmark.datasets.files import listed
from inpaint_benchmark.datasets.places import located


class Role(StrEnum):
    """What a picture of a sample is for."""

    SOURCE = "source"
    #: What is repainted.
    MASK = "mask"
    #: What belongs into the mask: the picture as it should be, in the size of the source.
    TRUTH = "truth"
    #: A picture of the object that is to be painted, of any size.
    REFERENCE = "reference"
    #: What of the mask the object covers, and what else it changes: shadows, reflections.
    OBJECT_MASK = "object_mask"
    EFFECT_MASK = "effect_mask"


@dataclass(frozen=True, slots=True)
class LoadedSample:
    """One case of a benchmark, its pictures checked.

    Masks are PNGs of 8 bits grey, 255 = repaint and 0 = keep, in the size of the source; all other pictures are the
    bytes of their files. `width` and `height` are pixels of the source as displayed; `coverage` is the share of them
    that the mask marks, above 0 and below 1. `digests` are sha256 by role: of a file's bytes, and where a picture was
    made here of its pixels, since encoders differ.
    """

    facts: SampleFacts
    images: Mapping[Role, bytes]
    digests: Mapping[Role, str]
    width: int
    height: int
    coverage: float

    @property
    def id(self) -> str:
        """Unique in its dataset."""
        return self.facts.id

    @property
    def prompt(self) -> str:
        """What is to be painted; may be empty."""
        return self.facts.prompt

    @property
    def negative_prompt(self) -> str:
        """What is not; may be empty."""
        return self.facts.negative_prompt

    @property
    def licence(self) -> str:
        """Of this sample; empty: that of the dataset."""
        return self.facts.licence

    @property
    def source_url(self) -> str | None:
        """Where the source is from."""
        return self.facts.source_url

    @property
    def tags(self) -> Mapping[str, str]:
        """Labels to group results by."""
        return self.facts.tags

    @property
    def source(self) -> bytes:
        """The picture to edit."""
        return self.images[Role.SOURCE]

    @property
    def mask(self) -> bytes:
        """PNG, 8 bits grey: white is repainted."""
        return self.images[Role.MASK]

    @property
    def truth(self) -> bytes | None:
        """The picture as it should be."""
        return self.images.get(Role.TRUTH)

    @property
    def reference(self) -> bytes | None:
        """A picture of the object."""
        return self.images.get(Role.REFERENCE)

    @property
    def object_mask(self) -> bytes | None:
        """PNG, 8 bits grey: white is the object."""
        return self.images.get(Role.OBJECT_MASK)

    @property
    def effect_mask(self) -> bytes | None:
        """PNG, 8 bits grey: white is what the object changes around itself."""
        return self.images.get(Role.EFFECT_MASK)

    @property
    def content_sha256(self) -> str:
        """Equal for samples with the same id, prompts and pictures."""
        said = [self.id, self.prompt, self.negative_prompt, sorted(self.digests.items())]
        return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample that is not loaded yet. `place`: where its dataset tells of it, for messages."""

    id: str
    place: str
    load: Callable[[], LoadedSample]


class LazySamples(Sequence[LoadedSample]):
    """The samples of a dataset, each read and checked when it is asked for, and not kept.

    Raises a `RequestError` for a sample that cannot be used; its message begins with the place.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> LoadedSample: ...

    @overload
    def __getitem__(self, index: slice) -> LazySamples: ...

    def __getitem__(self, index: int | slice) -> LoadedSample | LazySamples:
        if isinstance(index, slice):
            return LazySamples(self.entries[index])
        return load(self.entries[index])

    def __iter__(self) -> Iterator[LoadedSample]:
        return map(load, self.entries)


@dataclass(frozen=True, slots=True)
class LoadedDataset:
    """A dataset whose list is read and whose pictures are read one by one. Ids are unique."""

    name: str
    version: str | None
    description: str
    licence: str
    samples: LazySamples

    @classmethod
    def of(cls, facts: DatasetFacts, entries: Iterable[Entry], place: str) -> LoadedDataset:
        """`InvalidRequest` if there are no samples, or two with one id. `place` is the file or folder, for messages."""
        samples = LazySamples(entries)
        if not samples:
            raise InvalidRequest(f"{place} holds no samples.")
        first: dict[str, str] = {}
        for entry in samples.entries:
            if entry.id in first:
                raise InvalidRequest(
                    f"{entry.place}: the id {entry.id!r} is also that of {first[entry.id]}. Ids must be unique.",
                    field="id",
                )
            first[entry.id] = entry.place
        return cls(facts.name, facts.version, facts.description, facts.licence, samples)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all samples, in their order; no picture is read."""
        return tuple(entry.id for entry in self.samples.entries)

    def without(self, ids: Collection[str]) -> LoadedDataset:
        """The same dataset without some of its samples; `InvalidRequest` if it has no such one or would be empty."""
        missing = sorted(set(ids) - set(self.ids))
        if missing:
            raise InvalidRequest(f"{self.name} has no samples {listed(missing)}, which were to be left out.")
        kept = [entry for entry in self.samples.entries if entry.id not in set(ids)]
        if not kept:
            raise InvalidRequest(f"Nothing would be left of {self.name}: all of its samples were to be left out.")
        return replace(self, samples=LazySamples(kept))

    def content_sha256(self) -> str:
        """What tells two versions apart; reads every picture. `ContentHash` does the same in a loop of your own."""
        content = ContentHash()
        for sample in self.samples:
            content.add(sample)
        return content.hexdigest()


class ContentHash:
    """sha256 of a dataset over ids, prompts and pictures of its samples, in whatever order they come.

    Names, licences and tags are left out, and so is how a mask was drawn: a dataset that says the same in another form
    has the same hash.
    """

    def __init__(self) -> None:
        self._samples: dict[str, str] = {}

    def add(self, sample: LoadedSample) -> None:
        """One more sample."""
        self._samples[sample.id] = sample.content_sha256

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(sorted(self._samples.items())).encode()).hexdigest()


def load(entry: Entry) -> LoadedSample:
    """The sample, read and checked. A `RequestError` keeps its kind and is told where it happened."""
    with located(entry.place, sample=entry.id):
        return entry.load()
