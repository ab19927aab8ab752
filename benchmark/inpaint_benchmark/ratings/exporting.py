"""Stars as a file: CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from inpaint_core.errors import InvalidRequest

from inpaint_benchmark.ratings.columns import EXPORTED, disarmed

FORMATS = ("csv", "jsonl")


def export_text(rows: Iterable[Mapping[str, Any]], kind: str) -> str:
    """Rows of `bench.ratings_current` as CSV with a header, or as one JSON object a line."""
    if kind not in FORMATS:
        raise InvalidRequest(f"There is no format {kind!r}; there are {' and '.join(FORMATS)}.", field="format")
    out = io.StringIO()
    if kind == "jsonl":
        for row in rows:
            plain = {name: _plain(row[name]) for name in EXPORTED}
            out.write(json.dumps(plain, ensure_ascii=False) + "\n")
        return out.getvalue()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(EXPORTED)
    for row in rows:
        writer.writerow(_cell(row[name]) for name in EXPORTED)
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = _plain(value)
    return disarmed(plain) if isinstance(value, str) else str(plain)
