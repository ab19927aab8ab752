"""The heartbeat: one statement that renews every lease, reports progress and brings back cancels."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from inpaint_core.errors import OperatorError, RetryableError
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from inpaint_core.status import WorkerState
from inpaint_db.claims import renew
from inpaint_db.presence import WorkerIdentity
from inpaint_db.session import Database

from inpaint_worker.attempt import Attempt, Stop

log = get_logger("inpaint.worker")


class Heartbeat:
    """Beats in a thread of its own, from the worker's registration to its end."""

    def __init__(
        self, settings: Settings, database: Database, worker: WorkerIdentity, on_unknown: Callable[[], None]
    ) -> None:
        """`on_unknown` is called when the database no longer knows this worker; it does not return."""
        self.state = WorkerState.LOADING
        self._settings = settings
        self._database = database
        self._worker = worker
        self._on_unknown = on_unknown
        self._attempts: dict[object, Attempt] = {}
        self._claims = 0
        self._leaving = False
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """The last beat has been."""
        self._end.set()
        self._thread.join(timeout=10)

    @contextlib.contextmanager
    def claiming(self) -> Iterator[bool]:
        """Around a claim, up to its `add`. False: this process is about to end, and no job may be claimed."""
        with self._lock:
            may = not self._leaving
            self._claims += may
        try:
            yield may
        finally:
            with self._lock:
                self._claims -= may

    def claim_no_more(self) -> None:
        """From now on. Claims that are under way already are seen in `is_claiming`, and then in `running`."""
        with self._lock:
            self._leaving = True

    @property
    def is_claiming(self) -> bool:
        """A job may have been claimed that is not in `running` yet."""
        with self._lock:
            return self._claims > 0

    def add(self, attempt: Attempt) -> None:
        """Renew this attempt's lease from now on."""
        with self._lock:
            self._attempts[attempt.key] = attempt

    def remove(self, attempt: Attempt) -> None:
        """The attempt has ended."""
        with self._lock:
            self._attempts.pop(attempt.key, None)

    def running(self) -> list[Attempt]:
        """Attempts in hand."""
        with self._lock:
            return list(self._attempts.values())

    def _run(self) -> None:
        while not self._end.wait(self._settings.heartbeat_s):
            try:
                self._beat()
            except Exception:
                log.exception("heartbeat_raised")

    def _beat(self) -> None:
        asked = self.running()
        try:
            with self._database.autocommit() as connection:
                answer = renew(
                    connection,
                    self._worker.id,
                    self.state.value,
                    [attempt.progress() for attempt in asked],
                    lease_s=self._settings.lease_s,
                )
        except (RetryableError, OperatorError) as error:
            # Keep computing: only a definite answer can say that a lease is lost, and a restart of Postgres is short.
            if not self._away:
                log.warning("heartbeat_missed", reason=error.message, running=len(asked))
            self._away = True
            return
        if self._away:
            log.info("heartbeat_back")
        self._away = False
        if not answer.registered:
            log.error("worker_unknown", reason="the database does not know this worker any more; was it restored?")
            self._on_unknown()
        for attempt in asked:
            if attempt.key in answer.canceled:
                attempt.stop(Stop.CANCELED)
            elif attempt.key not in answer.held and attempt in self.running():
                attempt.stop(Stop.FENCED)
