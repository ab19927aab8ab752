"""What BrushBench and PIE-Bench share: a mapping_file.json of samples by key, with masks as runs of pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits
from inpaint_core.job import printable

from inpaint_benchmark.datasets.checking import DrawnMask, Picture, checked_sample
from inpaint_benchmark.datasets.facts import SampleFacts, checked, unknown
from inpaint_benchmark.datasets.files import inside, read_picture
from inpaint_benchmark.datasets.json_files import read_json
from inpaint_benchmark.datasets.loaded import Entry, LoadedSample
from inpaint_benchmark.datasets.places import located
from inpaint_benchmark.datasets.rle import decode_rle

FILE_NAME = "mapping_file.json"
#: Both publish pictures of this size, and their readers know no other.
SIZE = (512, 512)


@dataclass(frozen=True, slots=True)
class Runs:
    """How masks are decoded; `decode_rle` says what each means."""

    base: int
    size: tuple[int, int]
    border: bool
    cut: bool
    polarity: Polarity


def chosen_base(value: object, kind: str) -> int:
    """The number of the first pixel, 0 or 1, which the caller must say."""
    if value is None:
        raise InvalidRequest(
            f"Say from which number the runs of the masks count: base 0 or base 1. The file does not tell ({kind}), "
            "and a wrong one shifts every mask by a pixel without an error. The reader of BrushNet subtracts 1 (base "
            "1), that of PnPInversion does not (base 0).",
            field="base",
        )
    if str(value) not in ("0", "1") or isinstance(value, bool):
        raise InvalidRequest(f"base must be 0 or 1, found {value!r}.", field="base")
    return int(str(value))


def read_mapping(path: Path) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The mapping file at `path` or in that folder, and its items by key."""
    path = path / FILE_NAME if path.is_dir() else path
    content = read_json(path)
    if not isinstance(content, dict):
        raise InvalidRequest(f"{path.name} must be an object of samples by key, found a {type(content).__name__}.")
    for key, item in content.items():
        if not isinstance(item, dict):
            raise InvalidRequest(f"{path.name} key {printable(key)!r}: it must be an object, found {str(item)[:40]!r}.")
    return path, content


def entries(
    file: Path,
    items: Mapping[str, Mapping[str, Any]],
    folder: Path,
    *,
    image: str,
    mask: str,
    facts: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    runs: Runs,
    limits: Limits,
) -> Iterator[Entry]:
    """A sample for each item: fields `image` (a path in `folder`) and `mask`; `facts` tells its prompt and tags."""
    for key, item in items.items():
        place = f"{file.name} key {printable(key)!r}"
        with located(place):
            numbers = field(item, mask)
            said = checked(SampleFacts, {"id": key, **facts(item)})
            source = inside(folder, text(item, image), image)
        yield Entry(key, place, partial(_load, said, source, numbers, mask, runs, limits))


def field(item: Mapping[str, Any], name: str) -> object:
    """A value of an item; `InvalidRequest` if it has none of that name."""
    if name not in item:
        raise InvalidRequest(unknown(name, item, "field"), field=name)
    return item[name]


def text(item: Mapping[str, Any], name: str) -> str:
    """A text of an item."""
    value = field(item, name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, found {printable(repr(value))[:40]}.", field=name)
    return value


def _load(facts: SampleFacts, source: Path, numbers: object, mask: str, runs: Runs, limits: Limits) -> LoadedSample:
    marks = decode_rle(numbers, runs.size, runs.base, border=runs.border, cut=runs.cut)
    picture = Picture(read_picture(source, limits), source.name)
    return checked_sample(
        facts,
        picture,
        DrawnMask(marks, f"in field {mask}", "say the size that the runs were made for (size)"),
        polarity=runs.polarity,
        limits=limits,
    )
