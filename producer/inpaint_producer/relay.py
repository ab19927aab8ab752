"""The relay: makes sure that every accepted job reaches a worker, whatever was lost on the way.

It sends what a producer committed but did not send, sends again what Redis lost, takes jobs back from workers that
fell silent, and ends what is past its deadline. Any number may run.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import OperatorError, RetryableError
from inpaint_core.fairness import FIRST_STEP
from inpaint_core.log import get_logger
from inpaint_core.queues import (
    WakeUp,
    connect_redis,
    make_celery,
    send_wake_ups,
)
from inpaint_core.settings import Settings
from inpaint_db.channel import RelayAlarm
from inpaint_db.migrate import require_current
from inpaint_db.recovery import (
    Unsent,
    expire_queued,
    lift_longest_waiting,
    reclaim_lost,
    take_unsent,
)
from inpaint_db.session import Database
from sqlalchemy import Connection

from inpaint_producer.losses import Losses
from inpaint_producer.ordering import InLine, wake_ups
from inpaint_producer.regular_cleaning import start_cleaning

#: Rows of one sweep: a flushed Redis with 50,000 jobs behind it is refilled in portions, each its own transaction.
_LIMIT = 1000
_LONGEST_PAUSE_S = 5
#: Of so many jobs that a queue starts, one may be there because it has waited long.
_LIFT_ONE_OF = 8
log = get_logger("inpaint.relay")


class Relay:
    """One relay. `run` sweeps until told to stop."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._database = Database(settings, application="inpaint-relay", pool_size=2)
        self._app = make_celery(settings, catalogue, for_producer=True)
        self._redis = connect_redis(settings)
        self._alarm = RelayAlarm(self._database)
        self._losses = Losses(settings, self._database, self._redis)
        self._unwell_at = float("-inf")

    def run(self, stop: threading.Event, on_sweep: Callable[[], None] = lambda: None) -> None:
        """Sweep every `sweep_s` until `stop` is set; outages are waited for. Raises `SchemaBehind` at the start."""
        with self._database.read() as connection:
            require_current(connection)
        log.info("relay_started", sweep_s=self._settings.sweep_s, lease_s=self._settings.lease_s)
        cleaning = start_cleaning(self._settings, stop)
        pause = self._settings.sweep_s
        while not stop.is_set():
            try:
                busy = self.sweep()
                pause = 0 if busy else self._settings.sweep_s
            except (RetryableError, OperatorError) as error:
                pause = min(max(pause, self._settings.sweep_s) * 2, _LONGEST_PAUSE_S)
                if error.facts.get("service") == "Postgres":
                    self._unwell_at = time.monotonic()
                log.warning("relay_waits", reason=error.message, next_try_s=round(pause, 1))
            except Exception:
                pause = min(max(pause, self._settings.sweep_s) * 2, _LONGEST_PAUSE_S)
                log.exception("relay_sweep_failed", next_try_s=round(pause, 1))
            on_sweep()
            # A little jitter keeps several relays from sweeping in step.
            self._alarm.wait(pause * random.uniform(0.9, 1.1), stop)  # noqa: S311  (not a secret)
        if cleaning is not None:
            cleaning.join(timeout=_LONGEST_PAUSE_S)
        log.info("relay_stopped")

    def sweep(self) -> bool:
        """Everything once; True if a portion was full, so that more is waiting."""
        full = [self._reclaim() >= _LIMIT, self._expire() >= _LIMIT, self._send() >= _LIMIT]
        self._lift()
        self._losses.look()
        return any(full)

    def _note_lock(self, began: float) -> None:
        """Somebody holds a lock on the table: workers cannot renew either, and it is not their fault."""
        if time.monotonic() - began > self._settings.heartbeat_s:
            self._unwell_at = time.monotonic()

    def _reclaim(self) -> int:
        # Whatever kept this relay from the database kept workers from renewing, too: they get a lease's time first.
        if time.monotonic() - self._unwell_at < self._settings.lease_s:
            return 0
        began = time.monotonic()
        with self._database.begin() as connection:
            lost = reclaim_lost(connection, lease_s=self._settings.lease_s, limit=_LIMIT)
        self._note_lock(began)
        for job in lost:
            log.warning(
                "worker_lost", job_id=str(job.id), model=job.model, attempt=job.attempt, host=job.host, pid=job.pid,
                becomes=job.status,
            )  # fmt: skip
        return len(lost)

    def _expire(self) -> int:
        began = time.monotonic()
        with self._database.begin() as connection:
            expired = expire_queued(connection, limit=_LIMIT)
        self._note_lock(began)
        if expired:
            log.info("jobs_expired", jobs=expired)
        return expired

    def _send(self) -> int:
        # Sent inside the transaction: if Redis refuses, the rows stay unsent. If the commit fails after the sending,
        # the messages go out twice, which the claim refuses.
        began = time.monotonic()
        with self._database.begin() as connection:
            jobs = take_unsent(connection, grace_s=self._settings.publish_grace_s, limit=_LIMIT)
            self._note_lock(began)  # before Redis, whose slowness is no reason
            if jobs:
                send_wake_ups(self._app, _wake_ups(connection, jobs))
        if jobs:
            log.info("jobs_sent", jobs=len(jobs), recovered=sum(job.recovered for job in jobs))
        return len(jobs)

    def _lift(self) -> None:
        with self._database.begin() as connection:
            jobs = lift_longest_waiting(connection, after_s=self._settings.ageing_s, share=_LIFT_ONE_OF)
            if jobs:
                send_wake_ups(self._app, _wake_ups(connection, jobs))
        for job in jobs:
            log.info("job_lifted", job_id=str(job.id), model=job.model, waited_over_s=self._settings.ageing_s)

    def close(self) -> None:
        """Close all connections."""
        self._alarm.close()
        self._database.close()
        self._redis.close()
        self._app.close()


def _wake_ups(connection: Connection, jobs: list[Unsent]) -> list[WakeUp]:
    """Those that come back in front, the others by priority and campaign as if they were submitted now."""
    back = [WakeUp(job.id, job.model, FIRST_STEP) for job in jobs if job.recovered]
    new = [InLine(job.id, job.model, job.priority, job.campaign) for job in jobs if not job.recovered]
    return back + (wake_ups(connection, new) if new else [])
