"""Asking again and again, without asking too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

_FIRST_S = 0.05
_LAST_S = 1.0


def pauses(timeout_s: float | None, message: Callable[[], str], *, longest_s: float = _LAST_S) -> Iterator[None]:
    """Yield at once, then after growing pauses: quick jobs are seen quickly, long ones cost few queries.

    `TimeoutError` with `message()` when `timeout_s` has passed.
    """
    started = time.monotonic()
    pause = _FIRST_S
    while True:
        yield
        waited = time.monotonic() - started
        if timeout_s is not None and waited >= timeout_s:
            raise TimeoutError(f"{message()} after {timeout_s:g} s.")
        left = pause if timeout_s is None else min(pause, max(timeout_s - waited, 0.001))
        time.sleep(left)
        pause = min(pause * 1.3, longest_s)
