"""One child process: how it is started, heard and stopped."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals

from inpaint_fleet.local import leash
from inpaint_fleet.local.processes import ProcessId
from inpaint_fleet.local.stacklog import StackLog

#: A line longer than this is written in pieces.
_MAX_LINE = 16_384


def leashed(command: tuple[str, ...], death_signal: Signals = signal.SIGTERM, account: str | None = None) -> list[str]:
    """The command line that starts `command` under another account, and ends it when this process dies."""
    script = str(Path(leash.__file__).resolve())
    parent = str(os.getpid())
    return [sys.executable, "-I", "-S", script, parent, str(int(death_signal)), account or "", "--", *command]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What is to run."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None
    #: The Unix account it runs under; None: that of this process.
    account: str | None = None
    stop_signal: Signals = signal.SIGTERM
    #: Seconds between `stop_signal` and SIGKILL.
    grace_s: float = 10
    #: Called in front of every start.
    before_start: Callable[[], None] | None = None
    #: Lines that tell a reader of the log nothing are left out of it. Messages about a failed start still have them.
    routine: re.Pattern[str] | None = None


class Child:
    """A running child. Start it from a thread that lives as long as the stack: the kernel ends it with that thread."""

    def __init__(self, spec: ChildSpec, log: StackLog) -> None:
        self.spec = spec
        #: Its last lines, for messages.
        self.said: deque[str] = deque(maxlen=12)
        self._log = log
        if spec.before_start:
            spec.before_start()
        self._process = subprocess.Popen(
            leashed(spec.command, spec.stop_signal, spec.account),
            env=dict(spec.environment),
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
            start_new_session=True,
        )
        self.identity = ProcessId.of(self._process.pid)
        self.started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._reader = threading.Thread(target=self._read, name=f"log of {spec.name}", daemon=True)
        self._reader.start()

    @property
    def uptime_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    @property
    def exit_status(self) -> int | None:
        """None while it runs; afterwards its status, or minus the signal that ended it. Reaps it."""
        if self._process.returncode is None and self._has_exited():
            # While it is not yet waited for, its process group cannot be anybody else's: now is the time to end what
            # it may have left behind.
            self._kill_group()
            self._process.wait()
            self._reader.join(timeout=1)
        return self._process.returncode

    def ask_to_stop(self) -> None:
        """Send it its stop signal."""
        if self.exit_status is None:
            self._process.send_signal(self.spec.stop_signal)

    def kill(self) -> None:
        """End it and its process group at once."""
        if self.exit_status is None:
            self._kill_group()

    def _has_exited(self) -> bool:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        return True

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (asked for above)
        with self._process.stdout as pipe:
            while data := pipe.readline(_MAX_LINE):
                text = data.decode("utf-8", "replace").rstrip()
                if text:
                    self.said.append(text)
                    if not (self.spec.routine and self.spec.routine.search(text)):
                        self._log.line(self.spec.name, text)


def describe_exit(status: int) -> str:
    """How a child ended, in words: `exited with status 1`, `was ended by SIGKILL`."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
