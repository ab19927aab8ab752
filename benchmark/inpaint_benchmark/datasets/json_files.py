"""JSON and JSON Lines, read strictly: a broken one is refused with its line, a name that stands twice with the name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NoReturn

from inpaint_core.errors import InvalidRequest
from inpaint_core.job import printable

from inpaint_benchmark.datasets.files import read_text


def read_json(path: Path) -> object:
    """The one value that a JSON file holds."""
    return _parsed(read_text(path), path.name)


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The values of a JSON Lines file, each with the number of its line."""

    values: tuple[tuple[int, object], ...]


def read_json_or_lines(path: Path) -> object:
    """The value of a JSON file, or `JsonLines`.

    Which of the two it is, its content tells: more than one value, each on a line of its own, is JSON Lines. A file of
    one line is the latter if its name says so (.jsonl, .ndjson).
    """
    text = read_text(path)
    if path.suffix.lower() not in (".jsonl", ".ndjson") and not _has_lines(text):
        return _parsed(text, path.name)
    return JsonLines(tuple(_lines(text, path.name)))


def _lines(text: str, name: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _parsed(line, name, number)


def _has_lines(text: str) -> bool:
    start = len(text) - len(text.lstrip())
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    # A value over several lines with something behind it is a JSON file with a slip at its end.
    return bool(text[end:].strip()) and "\n" not in text[start:end]


def _parsed(text: str, name: str, line: int | None = None) -> object:
    try:
        return _DECODER.decode(text)
    except JSONDecodeError as error:
        where = f"line {line or error.lineno} column {error.colno}"
        raise InvalidRequest(
            f"{name} {where} is not JSON: {error.msg}. Mend it there.", line=line or error.lineno
        ) from None
    except (ValueError, RecursionError) as error:
        where = f" line {line}" if line else ""
        problem = "its values are nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidRequest(f"{name}{where} cannot be used: {problem}.", line=line) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:  # json would keep the last and be silent about the others
            raise ValueError(f"it has {printable(key)!r} twice in one object")
        found[key] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
