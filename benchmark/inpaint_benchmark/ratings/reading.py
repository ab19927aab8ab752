"""Files of stars, read as rows of text: CSV, JSON Lines, and what Label Studio exports. Nothing in them is trusted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inpaint_core.errors import InputNotFound, InvalidRequest

from inpaint_benchmark.ratings.columns import EXPORTED, NEEDED, OPTIONAL, armed
from inpaint_benchmark.ratings.label_studio import rows_of_tasks

MAX_BYTES = 64 << 20
MAX_ROWS = 500_000
#: A row and where it stands, for messages.
Row = tuple[str, dict[str, Any]]
_COLUMNS = {*NEEDED, *OPTIONAL, *EXPORTED}


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, whatever its name: JSON if it begins as JSON does. `InvalidRequest` says what is wrong."""
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
    found = _json(content, path.name) if begin == "[" else _lines(content) if begin == "{" else _csv(content, path.name)
    rows: list[Row] = []
    for row in found:
        if len(rows) == MAX_ROWS:
            raise InvalidRequest(f"{path.name} has more than {MAX_ROWS:,} rows. Split it.", field="file")
        rows.append(row)
    if not rows:
        raise InvalidRequest(f"{path.name} has no ratings in it.", field="file")
    return rows


def _csv(content: str, name: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        header = next(reader, [])
        missing = [column for column in NEEDED if column not in header]
        if missing:
            known = ", ".join((*NEEDED, *OPTIONAL))
            raise InvalidRequest(
                f"{name} has no column {', '.join(missing)}. Its first line names the columns: {known}.", field="file"
            )
        if len(set(header)) < len(header):
            raise InvalidRequest(f"{name} names a column twice.", field="file")
        for cells in reader:
            if not cells:
                continue
            where = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise InvalidRequest(f"{name}, {where}: {len(cells)} cells under {len(header)} columns.", field="file")
            yield where, {key: armed(cell) for key, cell in zip(header, cells, strict=True) if key in _COLUMNS}
    except csv.Error as error:
        raise InvalidRequest(f"{name}, line {reader.line_num}: not CSV ({error}).", field="file") from None


def _lines(content: str) -> Iterator[Row]:
    # Not splitlines, for which a line ends at characters that texts in JSON may have, such as U+2028.
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            row = _parsed(line, f"line {number}")
            if not isinstance(row, dict):
                raise InvalidRequest(f"line {number} is not a JSON object.", field="file")
            yield f"line {number}", row


def _json(content: str, name: str) -> Iterator[Row]:
    tasks = _parsed(content, name)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InvalidRequest(f"{name} is not a list of JSON objects, as Label Studio exports it.", field="file")
    return rows_of_tasks(tasks)


def _parsed(content: str, where: str) -> Any:
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise InvalidRequest(f"{where}: nested too deeply.", field="file") from None
    except ValueError as error:
        raise InvalidRequest(f"{where}: not JSON ({error}).", field="file") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a number")
