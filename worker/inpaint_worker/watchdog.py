"""The watchdog: notices a step that makes no progress. In a thread of its own, which waits for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inpaint_core.settings import Settings

from inpaint_worker.attempt import Attempt
from inpaint_worker.heartbeat import Heartbeat

_LOOK_S = 1.0
#: Phases of computing, which end or hang. The others wait for a server, with limits of their own, or for a turn.
_COMPUTES = ("prepare", "inference", "composite", "encode")


class Watchdog:
    """Looks at what the heartbeat knows to be running. That it looks is also the sign that the process lives."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat, on_hang: Callable[[Attempt], None]) -> None:
        """`on_hang` is called with an attempt that made no step within its time; it does not return."""
        self._limit_s = settings.step_timeout_s
        self._heartbeat = heartbeat
        self._on_hang = on_hang
        self._looked_at = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()

    @property
    def healthy(self) -> bool:
        """The process gets time to run; whether Postgres answers is another matter."""
        return time.monotonic() - self._looked_at < 30

    def _run(self) -> None:
        while not self._end.wait(_LOOK_S):
            self._looked_at = time.monotonic()
            for attempt in self._heartbeat.running():
                computes = attempt.in_phase and attempt.phase_name in _COMPUTES
                if computes and time.monotonic() - attempt.moved_at > self._limit_s:
                    self._on_hang(attempt)
