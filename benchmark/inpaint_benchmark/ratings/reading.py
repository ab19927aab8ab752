"""Files of stars, read as rows of text: CSV, JSON Lines, and what Label Studio exports. Nothing in them is trusted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.tables import delimiter
from inpaint_db.ratings import CRITERIA

from inpaint_benchmark.ratings.columns import EXPORTED, NEEDED, OPTIONAL, armed
from inpaint_benchmark.ratings.label_studio import rows_of_tasks

MAX_BYTES = 64 << 20
MAX_ROWS = 500_000
#: A row and where it stands, for messages.
Row = tuple[str, dict[str, Any]]
_COLUMNS = {*NEEDED, *OPTIONAL, *EXPORTED}
_SHAPES = (
    f"Read are tables (CSV) whose first line names the columns {', '.join(NEEDED)}, one JSON object with these a line, "
    "and the list of tasks that Label Studio exports"
)


@dataclass(frozen=True, slots=True)
class StarFile:
    """The rows of a file. `unread`: names of labels that are no criterion, and how often each was met."""

    rows: list[Row]
    unread: dict[str, int] = field(default_factory=dict)


def read_stars(path: Path) -> StarFile:
    """What is in a file, whatever its name: JSON if it begins as JSON does. `InvalidRequest` says what is wrong."""
    if not path.is_file():
        raise InputNotFound(f"{path} is not a file.", path=str(path))
    if path.stat().st_size > MAX_BYTES:
        raise InvalidRequest(f"{path.name} has more than {MAX_BYTES >> 20} MB. Split it.", field="file")
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}).", field="file"
        ) from None
    if "\x00" in content:
        raise InvalidRequest(f"{path.name} has NUL characters: it is not a text file.", field="file")
    begin = content.lstrip()[:1]
    read = {"[": _json, "{": _lines}.get(begin, _csv)
    found = StarFile([])
    for row in read(content, path.name, found.unread):
        if len(found.rows) == MAX_ROWS:
            raise InvalidRequest(f"{path.name} has more than {MAX_ROWS:,} rows. Split it.", field="file")
        found.rows.append(row)
    if not found.rows:
        raise InvalidRequest(f"{path.name} has no ratings in it. {_why_none(found.unread)}", field="file")
    return found


def _why_none(unread: Mapping[str, int]) -> str:
    if not unread:
        return f"{_SHAPES}."
    return f"Its labels are {', '.join(list(unread)[:10])}; those that are read are called {', '.join(CRITERIA)}."


def _csv(content: str, name: str, _: dict[str, int]) -> Iterator[Row]:
    separator = delimiter(content.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        missing = [column for column in NEEDED if column not in header]
        if missing:
            known = ", ".join((*NEEDED, *OPTIONAL))
            raise InvalidRequest(
                f"{name} has no column {', '.join(missing)}. Its first line names the columns: {known}.", field="file"
            )
        named = [column for column in header if column]
        if len(set(named)) < len(named):
            raise InvalidRequest(f"{name} names a column twice.", field="file")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise InvalidRequest(f"{name}, {where}: {len(cells)} cells under {len(header)} columns.", field="file")
            yield where, {key: armed(cell) for key, cell in zip(header, cells, strict=True) if key in _COLUMNS}
    except csv.Error as error:
        raise InvalidRequest(f"{name}, line {reader.line_num}: not CSV ({error}).", field="file") from None


def _lines(content: str, name: str, _: dict[str, int]) -> Iterator[Row]:
    whole = _one_object(content, name)
    if whole is not None:
        if not whole.keys() & set(NEEDED):
            raise InvalidRequest(f"{name} is one JSON object, and no ratings. {_SHAPES}.", field="file")
        yield "line 1", whole
        return
    # Not splitlines, for which a line ends at characters that texts in JSON may have, such as U+2028.
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            row = _parsed(line, f"{name}, line {number}")
            if not isinstance(row, dict):
                raise InvalidRequest(f"{name}, line {number} is not a JSON object.", field="file")
            yield f"line {number}", row


def _one_object(content: str, name: str) -> dict[str, Any] | None:
    """The object that a file is as a whole; None if it is several, or broken."""
    try:
        found = json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise InvalidRequest(f"{name}: nested too deeply.", field="file") from None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _json(content: str, name: str, unread: dict[str, int]) -> Iterator[Row]:
    tasks = _parsed(content, name)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InvalidRequest(f"{name} is not a list of JSON objects. {_SHAPES}.", field="file")
    return rows_of_tasks(tasks, unread)


def _parsed(content: str, where: str) -> Any:
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise InvalidRequest(f"{where}: nested too deeply.", field="file") from None
    except ValueError as error:
        raise InvalidRequest(f"{where}: not JSON ({error}).", field="file") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a number")
