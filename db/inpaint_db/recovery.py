"""What the relay asks: which messages have to be sent, whose lease ran out, whose deadline passed.

Any number of relays may ask at once: rows are taken with SKIP LOCKED. They are picked in a CTE that is materialised: a
subquery with LIMIT and FOR UPDATE may run again for each row, and then takes more than its limit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from inpaint_core.status import Priority
from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Unsent:
    """A queued job whose message has to be sent."""

    id: UUID
    model: str
    priority: Priority
    campaign: str | None
    #: A worker had it already: sent ahead of the backlog, or it would wait twice.
    recovered: bool


# The grace leaves a producer the time between its commit and its own sending.
_TAKE_UNSENT = text("""
WITH unsent AS MATERIALIZED (
    SELECT id FROM job
     WHERE status = 'queued' AND published_at IS NULL AND not_before <= now()
       AND (attempt > 0 OR queued_at < now() - make_interval(secs => :grace_s))
     ORDER BY not_before LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE job j SET published_at = now() FROM unsent WHERE j.id = unsent.id
RETURNING j.id, j.model, j.priority, j.campaign, j.started_at IS NOT NULL AS recovered, j.not_before
""")


def take_unsent(connection: Connection, *, grace_s: float, limit: int) -> list[Unsent]:
    """Queued jobs that were never sent, marked as sent. Send them before the transaction ends."""
    found = connection.execute(_TAKE_UNSENT, {"grace_s": grace_s, "limit": limit})
    rows = sorted(found, key=lambda row: (row.not_before, row.id))
    return [Unsent(row.id, row.model, Priority(row.priority), row.campaign, row.recovered) for row in rows]


_FORGET_SENT = text("""
UPDATE job SET published_at = NULL
 WHERE id = ANY(:ids) AND status = 'queued' AND published_at < now() - make_interval(secs => :after_s)
""")


def forget_sent(connection: Connection, job_ids: Collection[UUID], *, after_s: float) -> int:
    """Have the messages of queued jobs sent again, since Redis turned out to have lost them.

    Harmless if a message is only just being delivered: the claim refuses the second.
    """
    return connection.execute(_FORGET_SENT, {"ids": list(job_ids), "after_s": after_s}).rowcount


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many queued jobs of a model had their message sent a while ago."""

    model: str
    jobs: int


_OVERDUE = "status = 'queued' AND published_at < now() - make_interval(secs => :after_s)"
_COUNT_OVERDUE = text(f"SELECT model, count(*) AS jobs FROM job WHERE {_OVERDUE} GROUP BY model")  # noqa: S608
_OVERDUE_JOBS = text(f"SELECT id FROM job WHERE {_OVERDUE} AND model = :model")  # noqa: S608


def count_overdue(connection: Connection, *, after_s: float) -> list[Overdue]:
    """Models with queued jobs whose message was sent longer ago than `after_s`, and how many those are."""
    return [Overdue(row.model, row.jobs) for row in connection.execute(_COUNT_OVERDUE, {"after_s": after_s})]


def overdue_jobs(connection: Connection, model: str, *, after_s: float) -> set[UUID]:
    """Those jobs of one model."""
    return set(connection.execute(_OVERDUE_JOBS, {"after_s": after_s, "model": model}).scalars())


# Of every so many jobs that a queue starts, one is the longest waiting, if it has waited too long: so low priorities
# and big campaigns are served at last, and cannot crowd out the rest. The model's row keeps several relays in step.
_LIFT = text("""
WITH due AS MATERIALIZED (
    SELECT m.name FROM model m
     WHERE EXISTS (SELECT FROM job j WHERE j.model = m.name AND j.status = 'queued'
                      AND j.queued_at < now() - make_interval(secs => :after_s))
       AND (m.lifted_at IS NULL
            OR (SELECT count(*) FROM (SELECT FROM attempt a JOIN job j ON j.id = a.job_id
                                       WHERE j.model = m.name AND a.started_at > m.lifted_at LIMIT :share) AS counted)
               >= :share)
       FOR NO KEY UPDATE OF m SKIP LOCKED -- FOR UPDATE would wait for every insert of a job, which holds the key
), lifted AS MATERIALIZED (
    SELECT oldest.id FROM due, LATERAL (
        SELECT j.id FROM job j
         WHERE j.model = due.name AND j.status = 'queued' AND j.not_before <= now()
           AND j.queued_at < now() - make_interval(secs => :after_s)
           AND j.published_at < now() - make_interval(secs => :after_s)
         ORDER BY j.queued_at LIMIT 1 FOR UPDATE SKIP LOCKED) oldest
), noted AS (
    UPDATE model SET lifted_at = now() WHERE name IN (SELECT name FROM due)
)
UPDATE job SET published_at = now() WHERE id IN (SELECT id FROM lifted)
RETURNING id, model, priority, campaign
""")


def lift_longest_waiting(connection: Connection, *, after_s: float, share: int) -> list[Unsent]:
    """At most one job of each model that has waited over `after_s`, marked as sent: send it in front.

    None of a model that has started fewer than `share` jobs since its last.
    """
    rows = connection.execute(_LIFT, {"after_s": after_s, "share": share}).all()
    return [Unsent(row.id, row.model, Priority(row.priority), row.campaign, True) for row in rows]


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """A job whose worker fell silent, and what became of it."""

    id: UUID
    model: str
    attempt: int
    status: str
    host: str | None
    pid: int | None


# After a restart of Postgres no worker could renew: leases are left alone until each had the time to.
_RECLAIM = text("""
WITH lost AS MATERIALIZED (
    SELECT j.id, j.attempt, j.worker_id FROM job j
     WHERE j.status = 'running' AND j.lease_until < now()
       AND pg_postmaster_start_time() < now() - make_interval(secs => :lease_s)
     ORDER BY j.lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE attempt a
       SET status = 'lost', finished_at = now(), error_code = 'worker_lost', error_message =
           'The worker stopped answering while the job was in phase ' || coalesce(a.phase, 'unknown') || '.'
      FROM lost WHERE a.job_id = lost.id AND a.number = lost.attempt AND a.status = 'running'
)
UPDATE job j
   SET status = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'canceled'
                     WHEN j.failures + 1 >= j.max_attempts THEN 'failed' ELSE 'queued' END,
       finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR j.failures + 1 >= j.max_attempts THEN now() END,
       failures = j.failures + 1, lease_until = NULL, worker_id = NULL, published_at = NULL, queued_at = now(),
       error_code = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'canceled' ELSE 'worker_lost' END,
       error_message = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'The job was canceled. ' ELSE '' END ||
           'The worker of attempt ' || j.attempt || ' stopped answering' ||
           coalesce(' (' || w.host || ', pid ' || w.pid || ')', '') || '. Its log tells why.'
  FROM lost LEFT JOIN worker w ON w.id = lost.worker_id
 WHERE j.id = lost.id
RETURNING j.id, j.model, j.attempt, j.status, w.host, w.pid
""")


def reclaim_lost(connection: Connection, *, lease_s: float, limit: int) -> list[Reclaimed]:
    """Requeue, or fail after `max_attempts`, the running jobs whose lease ran out."""
    rows = connection.execute(_RECLAIM, {"lease_s": lease_s, "limit": limit}).all()
    return [Reclaimed(**row._mapping) for row in rows]


_EXPIRE = text("""
WITH late AS MATERIALIZED (
    SELECT id FROM job WHERE status = 'queued' AND deadline <= now() LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE job j
   SET status = 'expired', finished_at = now(), error_code = 'deadline_passed',
       error_message = 'The deadline ' || to_char(deadline AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') ||
                       ' passed before a worker was free. Submit it again with a later one.'
  FROM late WHERE j.id = late.id
RETURNING j.id
""")


def expire_queued(connection: Connection, *, limit: int) -> int:
    """End queued jobs whose deadline passed. A running job's worker watches its own deadline."""
    return len(connection.execute(_EXPIRE, {"limit": limit}).all())
