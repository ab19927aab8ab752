"""Processes by an identity that is never reused: the pid, with the moment it was started.

A pid alone says nothing after a restart of the machine, or an hour on a busy one, and what was written down as a child
of the stack may by then be anybody's. The kernel's start time, in ticks since boot, together with the id of that boot
is exact and does not move with the clock.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """The kernel's name for the time since it started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for all time."""

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The identity of a running process; of one that has gone, an identity that is not alive."""
        return cls(pid, _start_ticks(pid) or 0, boot_id())

    def alive(self) -> bool:
        """Whether it runs. A process that ended but was not yet waited for does not."""
        return self.start_ticks != 0 and self.boot == boot_id() and _start_ticks(self.pid) == self.start_ticks

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, if it is alive."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_group(self) -> None:
        """SIGKILL to it and to the process group that it leads, if it is alive."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if os.getpgid(self.pid) == self.pid else os.kill)(self.pid, signal.SIGKILL)

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None if there is no such process or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, and may hold spaces and brackets itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
