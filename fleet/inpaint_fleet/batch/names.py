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
    outputs = {row.number: 1 if row.spec is None else int(row.spec.outputs) for row in rows}
    times = Counter(name for number, first in wanted.items() for name in _all_of(first, outputs[number]))
    taken = {name for name, count in times.items() if count == 1}
    names = {}
    for number, name in wanted.items():
        if any(times[each] > 1 for each in _all_of(name, outputs[number])):
            name = f"{name}-{number}"
            while taken & _all_of(name, outputs[number]):
                name = f"{name}-{number}"
            taken |= _all_of(name, outputs[number])
        names[number] = name
    return names


def _all_of(first: str, outputs: int) -> set[str]:
    """What the outputs of a row are called whose first is `first`. Case is folded, for disks that do the same."""
    return {first.casefold(), *(f"{first}-{number}".casefold() for number in range(2, outputs + 1))}


def beside(path: Path, number: int) -> Path:
    """Where output `number` of a job goes whose first goes to `path`: edited.png, edited-2.png. A folder stays it."""
    return path if number == 1 or path.is_dir() else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:120] or "row"
