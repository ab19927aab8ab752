"""Ctrl-C once means stop; twice means now."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Counts SIGINT, SIGTERM and SIGHUP (a closed terminal) while it is entered, in the main thread.

    A plain counter that loops look at: an Event may be held by the very thread that the handler interrupts.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in _NUMBERS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self) -> bool:
        """Whether to stop."""
        return self._count > 0

    def hurry(self) -> bool:
        """Whether to stop without waiting for anybody."""
        return self._count > 1

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
