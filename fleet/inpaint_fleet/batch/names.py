"""What the results of a batch are called: after their source or id, and after the model where there are several."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from inpaint_fleet.batch.rows import Row


def output_names(rows: Sequence[Row]) -> dict[int, str]:
    """Row number to file name without ending. The same rows give the same names, so a repeated batch replaces them."""
    several = len({row.model for row in rows}) > 1
    wanted = {row.number: _safe(row.name) + (f".{row.model}" if several else "") for row in rows}
    # Case is folded, for disks that do the same.
    times = Counter(name.casefold() for name in wanted.values())
    taken = {name for name, count in times.items() if count == 1}
    names = {}
    for number, name in wanted.items():
        if times[name.casefold()] > 1:
            name = f"{name}-{number}"
            while name.casefold() in taken:
                name = f"{name}-{number}"
            taken.add(name.casefold())
        names[number] = name
    return names


def beside(path: Path, number: int) -> Path:
    """Where output `number` of a job goes whose first goes to `path`: edited.png, edited-2.png. A folder stays it."""
    return path if number == 1 or path.is_dir() else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:120] or "row"
