"""Stopping gracefully: the running job may end within the grace period, all others go back to the queue at once."""

from __future__ import annotations

import threading
import time

from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from inpaint_core.status import WorkerState
from inpaint_db.session import Database

from inpaint_worker.attempt import Stop
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.leaving import leave

#: A step that cannot be interrupted gets this long after the grace period before the process ends without it.
_LAST_S = 3.0
log = get_logger("inpaint.worker")


class Drain:
    """Begins when the worker is told to stop."""

    def __init__(self, settings: Settings, database: Database, heartbeat: Heartbeat) -> None:
        self._settings = settings
        self._database = database
        self._heartbeat = heartbeat
        self._begun = threading.Event()

    @property
    def begun(self) -> bool:
        """True once the worker was told to stop."""
        return self._begun.is_set()

    def begin(self, **_: object) -> None:
        """Called in a signal handler: only starts the thread that does the work."""
        if not self._begun.is_set():
            self._begun.set()
            self._heartbeat.state = WorkerState.STOPPING
            threading.Thread(target=self._run, name="drain", daemon=True).start()

    def _run(self) -> None:
        running = self._heartbeat.running()
        log.info("worker_stopping", running=len(running), grace_s=self._settings.grace_s)
        until = time.monotonic() + self._settings.grace_s
        # Jobs that were claimed in the moment of the signal are seen, too.
        while time.monotonic() < until:
            for attempt in self._heartbeat.running():
                if attempt.phase_name in ("fetch", "prepare", "gpu_wait"):
                    attempt.stop(Stop.DRAINED)
            time.sleep(0.1)
        for attempt in self._heartbeat.running():
            attempt.stop(Stop.DRAINED)
        time.sleep(_LAST_S)
        if self._heartbeat.running():
            # Stuck in a call that does not return: leave without waiting for it.
            leave(self._settings, self._database, self._heartbeat, status=0)
