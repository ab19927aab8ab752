"""How long a row will take, judged by those before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Row


class Estimates:
    """Seconds that rows took, or after which they were ended; kept in a file, for the next call."""

    def __init__(self, path: Path, rows: Sequence[Row]) -> None:
        self._path = path
        self._took: dict[str, float] = {}
        if path.is_file():
            self._took = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            self._take(row.order, row.wall_s)

    def note(self, order: Order, seconds: float) -> None:
        """It took so long, or was ended after so long."""
        self._take(order, seconds)
        self._path.write_text(json.dumps(self._took, indent=1), encoding="utf-8")

    def of(self, order: Order) -> float:
        """What the longest of the same model and measurement took, in whatever mode; else of all; 0 at the beginning.

        A longer guess costs nothing but a new call, a shorter one the time until the row is ended.
        """
        if self._key(order) in self._took:
            return self._took[self._key(order)]
        return max((seconds for key, seconds in self._took.items() if _alike(key, order)), default=0.0)

    def _take(self, order: Order, seconds: float) -> None:
        key = self._key(order)
        self._took[key] = max(seconds, self._took.get(key, 0.0))

    @staticmethod
    def _key(order: Order) -> str:
        steps = "default" if order.steps is None else str(order.steps)
        return " ".join(
            [order.model, order.what, steps, str(order.repeats or "default"), "tiny" if order.tiny else order.device]
        )


def _alike(key: str, order: Order) -> bool:
    return key.endswith(" tiny") == order.tiny
