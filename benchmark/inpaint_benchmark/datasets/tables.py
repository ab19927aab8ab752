"""CSV and TSV tables as people save them: commas or semicolons, any line ends, with or without a byte order mark."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from inpaint_core.errors import InvalidRequest
from inpaint_core.tables import delimiter

from inpaint_benchmark.datasets.files import read_text


class _Lines(Protocol):
    """What csv.reader returns, which has no public name."""

    @property
    def line_num(self) -> int:
        """Lines read so far."""

    def __iter__(self) -> Iterator[list[str]]:
        """The rows."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells by column, without the spaces around them. `line`: where the row ends in its file."""

    line: int
    cells: dict[str, str]


def read_table(path: Path, needed: Iterable[str], allowed: Iterable[str] | None = None) -> list[TableRow]:
    """The rows of a table that has the columns `needed`.

    `allowed` are all that it may have; without, others are ignored. Raises `InvalidRequest`, which names the line or
    the column, and `InputNotFound`.
    """
    text = read_text(path)
    # Translated, since one file may have the line ends of two systems, and csv takes a lone CR for damage.
    separator = delimiter(text.split("\n", 1)[0], path.suffix)
    lines = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
    try:
        columns = [name.strip() for name in next(lines, [])]
        _check_columns(path, columns, list(needed), None if allowed is None else list(allowed))
        return list(_rows(path, columns, lines))
    except csv.Error as error:
        raise InvalidRequest(f"{path.name} line {lines.line_num} is not CSV: {error}.", line=lines.line_num) from None


def _rows(path: Path, columns: list[str], lines: _Lines) -> Iterator[TableRow]:
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise InvalidRequest(
                f"{path.name} line {lines.line_num} has {len(cells)} cells and the table {len(columns)} columns. Put "
                "text with a comma or a line break into quotes.",
                line=lines.line_num,
            )
        yield TableRow(lines.line_num, {n: c.strip() for n, c in zip(columns, cells, strict=True) if n})


def _check_columns(path: Path, columns: list[str], needed: list[str], allowed: list[str] | None) -> None:
    for name in needed:
        if name not in columns:
            near = get_close_matches(name, columns, n=1)
            hint = f"did you mean {name} by {near[0]}?" if near else "its first line names the columns: "
            every = "" if near else (", ".join(columns) or "(nothing)")
            raise InvalidRequest(f"{path.name} has no column {name}; {hint}{every}", field=name)
    for name in columns:
        if name and columns.count(name) > 1:
            raise InvalidRequest(f"{path.name} has the column {name} twice.", field=name)
        if name and allowed is not None and name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(allowed)}."
            raise InvalidRequest(f"{path.name} has a column {name!r}, which means nothing here: {hint}", field=name)
