"""InpaintCOCO: 1,260 photos of COCO in which a person had one thing repainted (Rösch et al., arXiv 2403.02875).

The data set phiyodr/InpaintCOCO of the Hugging Face hub, as Parquet files. Its columns: `concept` (object, color or
size), `coco_caption`, `coco_image`, `inpaint_caption`, `inpaint_image`, `mask`, `worker` and `coco_details`, in which
there are `coco_url`, `id` and `image_license`. A picture is a struct of `bytes` and `path`. The masks are those that
people drew for Stable Diffusion's inpainting, and those who read the set take white as repainted; its card does not say
so. What was painted, one of many answers that would be right, is the truth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any

from inpaint_core.edit import Polarity
from inpaint_core.errors import InputNotFound, InvalidRequest, MissingExtra
from inpaint_core.images import Limits
from inpaint_core.job import printable

from inpaint_benchmark.datasets import options
from inpaint_benchmark.datasets.checking import Picture, checked_sample
from inpaint_benchmark.datasets.facts import SampleFacts, checked, dataset_facts
from inpaint_benchmark.datasets.loaded import Entry, LoadedDataset, LoadedSample, Role

_CAPTIONS = ("inpaint_caption", "coco_caption")
#: Told if there, and never needed.
_FURTHER = ("concept", "coco_details")


def read(
    path: Path,
    said: Mapping[str, str],
    limits: Limits,
    *,
    prompt: str = "inpaint_caption",
    truth: object = True,
    polarity: object = Polarity.WHITE,
) -> LoadedDataset:
    """InpaintCOCO of one Parquet file, or of all in a folder (or in its subfolder data), in the order of their names.

    `prompt`: inpaint_caption (what was painted) or coco_caption (what the photo showed). `truth`: whether the
    annotators' result is taken as the truth. Ids are row numbers, from 0, over all files. `MissingExtra` without
    pyarrow.
    """
    caption = options.choice(prompt, "prompt", _CAPTIONS)
    with_truth, marks = options.truth(truth, "truth"), options.polarity(polarity, "inpaintcoco", "")
    needed = ["coco_image", "mask", caption, *(["inpaint_image"] if with_truth else [])]
    rows = _Rows(_files(path), needed)
    entries = [
        Entry(f"{index:05d}", rows.place(index), partial(_load, rows, index, caption, marks, limits))
        for index in range(len(rows))
    ]
    return LoadedDataset.of(dataset_facts(said, name="inpaintcoco"), entries, path.name)


def _load(rows: _Rows, index: int, caption: str, polarity: Polarity, limits: Limits) -> LoadedSample:
    row = rows.row(index)
    details = row.get("coco_details") or {}
    url, licence, concept = details.get("coco_url"), details.get("image_license"), row.get("concept")
    said: dict[str, Any] = {"id": f"{index:05d}", "prompt": row[caption] or "", "tags": {}}
    if isinstance(url, str) and url.startswith("http"):
        said["source_url"] = url
    if isinstance(licence, str):
        said["licence"] = licence
    if isinstance(concept, str):
        said["tags"]["concept"] = concept
    facts = checked(SampleFacts, said)
    others = {Role.TRUTH: _picture(row, "inpaint_image")} if "inpaint_image" in row else None
    source, mask = _picture(row, "coco_image"), _picture(row, "mask")
    return checked_sample(facts, source, mask, polarity=polarity, limits=limits, others=others)


def _picture(row: Mapping[str, Any], column: str) -> Picture:
    value = row[column]
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise InvalidRequest(
            f"The column {column} holds no bytes of a picture here (found {str(value)[:60]!r}). Download the dataset "
            "with its pictures embedded.",
            field=column,
        )
    return Picture(data, f"in column {column}")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise InputNotFound(f"There is no file {path}. Check the path.", path=str(path))
        return [path]
    found = sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    if not found:
        raise InputNotFound(f"{path} holds no .parquet files. Give the folder into which the dataset was downloaded.")
    return found


class _Rows:
    """The rows of several Parquet files, as one list. One group of rows is held: the hub writes a hundred to each."""

    def __init__(self, files: list[Path], needed: list[str]) -> None:
        self._parquet, self._errors = _pyarrow()
        self._columns = needed
        self._groups: list[tuple[Path, int]] = []
        sizes = []
        for file in files:
            for group, size in enumerate(self._check(file)):
                self._groups.append((file, group))
                sizes.append(size)
        self._ends = list(accumulate(sizes))
        self._held: tuple[int, Any] | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def place(self, index: int) -> str:
        """The file and the row in it, from 0, as viewers of such files count."""
        file = self._groups[bisect_right(self._ends, index)][0]
        before = next(number for number, (path, _) in enumerate(self._groups) if path == file)
        return f"{file.name} row {index - (self._ends[before - 1] if before else 0)}"

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row by column."""
        number = bisect_right(self._ends, index)
        if self._held is None or self._held[0] != number:
            file, group = self._groups[number]
            try:
                with self._parquet.ParquetFile(file) as opened:
                    there = [name for name in _FURTHER if name in opened.schema_arrow.names]
                    self._held = number, opened.read_row_group(group, columns=[*self._columns, *there])
            except self._errors as error:
                raise _damaged(file, error) from None
        offset = index - (self._ends[number - 1] if number else 0)
        row: dict[str, Any] = self._held[1].slice(offset, 1).to_pylist()[0]
        return row

    def _check(self, file: Path) -> list[int]:
        """How many rows each group of a file has."""
        try:
            with self._parquet.ParquetFile(file) as opened:
                names: list[str] = opened.schema_arrow.names
                sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
        except self._errors as error:
            raise _damaged(file, error) from None
        for name in self._columns:
            if name not in names:
                raise InvalidRequest(
                    f"{file.name} has no column {name}; it has {', '.join(map(printable, names)) or 'none'}. Is it a "
                    "file of InpaintCOCO?",
                    field=name,
                )
        return sizes


def _damaged(file: Path, error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"{file.name} cannot be read as Parquet ({str(error)[:120]}). Download it again; a file of some 130 bytes is a "
        "pointer of Git LFS, not the data."
    )


def _pyarrow() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        # By name: it has no types, and is not part of what every benchmark needs.
        return import_module("pyarrow.parquet"), (import_module("pyarrow").ArrowException, OSError)
    except ImportError as error:
        raise MissingExtra(
            f"Parquet files are read with the package {error.name}. Install it with: pip install "
            "'inpaint-fleet[benchmark]'"
        ) from error
