"""Processes of the fleet, as tests start and stop them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from inpaint_core.settings import Settings
from inpaint_db.session import Database
from sqlalchemy import text


class WorkerProcess:
    """`inpaint worker MODEL` in a process group of its own."""

    def __init__(self, model: str, env: dict[str, str], settings: Settings, log: Path) -> None:
        self.model = model
        self.log = log
        self._settings = settings
        with Database(settings, application="inpaint-test", pool_size=1) as database:
            self._before = _ready(database, model)
        self.process = self._start(env)

    def _start(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "inpaint_fleet.cli", "worker", self.model],
                env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self.process.pid

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until one more worker of the model is ready than when this one was started."""
        deadline = time.monotonic() + timeout_s
        with Database(self._settings, application="inpaint-test", pool_size=1) as database:
            while _ready(database, self.model) <= self._before:
                if self.process.poll() is not None:
                    raise AssertionError(f"the worker ended with {self.process.returncode}:\n{self.tail()}")
                if time.monotonic() > deadline:
                    raise AssertionError(f"the worker was not ready after {timeout_s:g} s:\n{self.tail()}")
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self, timeout_s: float = 15) -> int:
        """SIGTERM, and SIGKILL if that was not enough; the exit status."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        # A child of its own that it left behind would hold ports and leases.
        self._signal(signal.SIGKILL)
        return self.process.wait()

    def tail(self, characters: int = 4000) -> str:
        """The end of what it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def _ready(database: Database, model: str) -> int:
    with database.read() as connection:
        statement = text("SELECT count(*) FROM worker WHERE model = :model AND state = 'ready'")
        return int(connection.execute(statement, {"model": model}).scalar_one())
