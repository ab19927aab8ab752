"""Noticing that Redis has lost messages: queued jobs whose message lies in none of their queue's lists."""

from __future__ import annotations

import json
import time
from uuid import UUID

from inpaint_core.log import get_logger
from inpaint_core.queues import broker_errors, queue_depths, redis_lists
from inpaint_core.settings import Settings
from inpaint_db.recovery import Overdue, count_overdue, forget_sent, overdue_jobs
from inpaint_db.session import Database
from redis import Redis

#: Looking at every message of a queue is dear when it is long, and needed when fewer messages wait than jobs. Copies
#: of messages can hide a loss from that count, so a queue is looked at from time to time, too.
_LOOK_ANYWAY_AFTER = 4  #: times republish_after_s
_LONG_QUEUE = 10_000
_LONG_LOOK_ANYWAY_AFTER = 40
_PORTION = 1000
log = get_logger("inpaint.relay")


class Losses:
    """Has lost messages sent again. What a worker has just taken from a list is sent twice, and claimed once."""

    def __init__(self, settings: Settings, database: Database, redis: Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = redis
        self._looked_at: dict[str, float] = {}

    def look(self) -> int:
        """Mark the jobs whose message is gone as not sent; how many."""
        with self._database.read() as connection:
            overdue = count_overdue(connection, after_s=self._settings.republish_after_s)
        if not overdue:
            return 0
        with broker_errors(self._settings):
            depths = queue_depths(self._redis, [entry.model for entry in overdue])
        return sum(self._look_at(entry) for entry in overdue if self._suspicious(entry, depths[entry.model]))

    def _suspicious(self, overdue: Overdue, depth: int) -> bool:
        since = time.monotonic() - self._looked_at.get(overdue.model, float("-inf"))
        times = _LOOK_ANYWAY_AFTER if depth <= _LONG_QUEUE else _LONG_LOOK_ANYWAY_AFTER
        return depth < overdue.jobs or since > times * self._settings.republish_after_s

    def _look_at(self, overdue: Overdue) -> int:
        self._looked_at[overdue.model] = time.monotonic()
        # First the rows and then the lists: a job that is sent in between is found in the lists.
        with self._database.read() as connection:
            jobs = overdue_jobs(connection, overdue.model, after_s=self._settings.republish_after_s)
        lost = sorted(jobs - self._waiting(overdue.model))
        for start in range(0, len(lost), _PORTION):
            with self._database.begin() as connection:
                forget_sent(connection, lost[start : start + _PORTION], after_s=self._settings.republish_after_s)
        if lost:
            log.warning("messages_lost", jobs=len(lost), model=overdue.model)
        return len(lost)

    def _waiting(self, model: str) -> set[UUID]:
        found: set[UUID] = set()
        with broker_errors(self._settings):
            for name in redis_lists(model):
                elements: list[bytes] = self._redis.lrange(name, 0, -1)  # type: ignore[assignment]
                found.update(job_id for element in elements if (job_id := _job_id(element)))
        return found


def _job_id(element: bytes) -> UUID | None:
    try:
        return UUID(json.loads(element)["headers"]["id"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
