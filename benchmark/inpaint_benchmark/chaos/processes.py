"""The processes of a run and the little supervisor that starts them again. All from one thread."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals

#: Between the end of a process and its successor, as a supervisor would pause.
_PAUSE_S = 0.3


class Slot:
    """The place of one process through all its restarts."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.starts = 0
        self.frozen = False
        self._command = [sys.executable, "-m", *command]
        self._env = env
        self._log = folder / f"{name}.log"
        self._due = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The running process, or None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def tend(self) -> None:
        """Start it if its pause is over."""
        if self.pid is not None:
            return
        now = time.monotonic()
        if self._process is not None:
            self._process, self._due = None, max(self._due, now + _PAUSE_S)
        elif now >= self._due:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            self.starts += 1

    def send(self, number: Signals) -> None:
        """Signal its process group; nothing happens if it is not there."""
        if self.pid is not None:
            self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            if number == signal.SIGKILL and self._process is not None:
                self._process.wait()
                self.frozen = False

    def rest(self, seconds: float) -> None:
        """Do not start it again for so long."""
        self._due = time.monotonic() + seconds


class Processes:
    """Workers and relays."""

    def __init__(self, workers: Sequence[Slot], relays: Sequence[Slot]) -> None:
        self.workers = list(workers)
        self.relays = list(relays)

    def tend(self) -> None:
        """Start again what has ended."""
        for slot in (*self.workers, *self.relays):
            slot.tend()

    def stop(self, grace_s: float = 10) -> None:
        """SIGTERM to all, and SIGKILL to those that do not heed it."""
        slots = (*self.workers, *self.relays)
        for slot in slots:
            slot.send(signal.SIGCONT)
            slot.send(signal.SIGTERM)
        until = time.monotonic() + grace_s
        while time.monotonic() < until and any(slot.pid for slot in slots):
            time.sleep(0.05)
        for slot in slots:
            slot.send(signal.SIGKILL)
