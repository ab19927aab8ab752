"""Batch files as records: which values stand where. What the values mean is `rows`' concern."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.tables import delimiter

#: What counts as a picture in a folder.
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif", ".hif"})
_MASK_ENDINGS = ("-mask", "_mask", ".mask")


@dataclass(frozen=True, slots=True)
class Record:
    """Values by column; cells that are empty are not there. `folder`: what relative paths start from."""

    place: str
    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


def read_records(path: Path, masks: Path | None = None) -> Iterator[Record]:
    """The records of a CSV, TSV, JSONL or JSON file, or of a folder of pictures paired with those in `masks`."""
    if path.is_dir():
        yield from _read_folder(path, masks)
        return
    suffix = path.suffix.lower()
    readers = {
        ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".json": _read_json,
    }  # fmt: skip
    if suffix not in readers:
        if path.exists() and suffix in PICTURES:
            raise InvalidRequest(f"{path} is a picture. `inpaint submit` takes one picture; a batch is a list of them.")
        if path.exists():
            raise InvalidRequest(f"{path} is not a batch: give a .csv, .tsv, .jsonl or .json file, or a folder.")
    yield from readers.get(suffix, _read_csv)(path, _text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputNotFound(f"There is no file {path}. Check the path.", path=str(path)) from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from None


def _read_csv(path: Path, text: str) -> Iterator[Record]:
    separator = delimiter(text.split("\n", 1)[0], path.suffix)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(lines, [])]
        if "source" not in names:
            raise InvalidRequest(
                f"{path} has no column `source`; its first line names the columns: {', '.join(names) or '(nothing)'}."
            )
        doubled = sorted({name for name in names if name and names.count(name) > 1})
        if doubled:
            raise InvalidRequest(f"{path} has the column {doubled[0]} twice.")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{path.name} line {lines.line_num}"
            if len(cells) > len(names):
                problem = f"It has {len(cells)} cells and the file {len(names)} columns; quote text that has a comma."
                yield Record(place, path.parent, problem=problem)
                continue
            values = {n: c.strip() for n, c in zip(names, cells, strict=False) if n and c.strip()}
            yield Record(place, path.parent, values)
    except csv.Error as error:
        raise InvalidRequest(f"{path} line {lines.line_num} is not CSV: {error}.") from None


def _read_jsonl(path: Path, text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path.name} line {number}"
            try:
                yield _record(place, path.parent, json.loads(line))
            except ValueError as error:
                yield Record(place, path.parent, problem=f"It is not JSON: {error}.")


def _read_json(path: Path, text: str) -> Iterator[Record]:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}. One object per line is .jsonl.") from None
    items = whole.get("samples") if isinstance(whole, dict) else whole
    if not isinstance(items, list):
        raise InvalidRequest(f'{path} must be a list of jobs, or a manifest {{"samples": [...]}}.')
    manifest = isinstance(whole, dict)
    for number, item in enumerate(items, start=1):
        place = f"{path.name} {'sample' if manifest else 'item'} {number}"
        if manifest and isinstance(item, dict):
            # A manifest tells more of a sample than a job asks for: its reference, its licence, where it is from.
            item = {k: v for k, v in item.items() if k in ("id", "source", "mask", "prompt", "negative_prompt", "seed")}
        yield _record(place, path.parent, item)


def _record(place: str, folder: Path, item: object) -> Record:
    if not isinstance(item, dict):
        return Record(place, folder, problem=f"It must be an object, found {json.dumps(item)[:40]}.")
    return Record(place, folder, {name: value for name, value in item.items() if value is not None and value != ""})


def _read_folder(folder: Path, masks: Path | None) -> Iterator[Record]:
    if masks is None:
        raise InvalidRequest(f"{folder} is a folder: name the folder of its masks with --masks (paired by file name).")
    if not masks.is_dir():
        raise InputNotFound(f"There is no folder {masks} (given as --masks). Check the path.", path=str(masks))
    by_stem = {path.stem: path for path in _pictures(masks)}
    sources = _pictures(folder)
    if folder.resolve() == masks.resolve():
        sources = [path for path in sources if not path.stem.lower().endswith(_MASK_ENDINGS)]
        by_stem = {stem: path for stem, path in by_stem.items() if stem.lower().endswith(_MASK_ENDINGS)}
    if not sources:
        raise InvalidRequest(f"{folder} holds no pictures ({', '.join(sorted(PICTURES))}).")
    for source in sources:
        mask = next(
            (by_stem[n] for n in (source.stem, *(source.stem + e for e in _MASK_ENDINGS)) if n in by_stem), None
        )
        values = {"source": str(source.absolute())} | ({"mask": str(mask.absolute())} if mask else {})
        problem = None if mask else f"{masks} holds no mask for it (looked for {source.stem}.*, {source.stem}-mask.*)."
        yield Record(source.name, folder, values, problem)


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
