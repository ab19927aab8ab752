"""The life of jobs outside of workers: what producers, clients, the relay, Redis and the clock do to them."""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from factories import MODEL, make_request
from inpaint_core.ids import new_id
from inpaint_core.status import AttemptStatus, JobStatus
from inpaint_db.queries import retry_jobs
from inpaint_db.recovery import expire_queued, forget_sent, overdue_jobs, reclaim_lost, take_unsent
from inpaint_db.submissions import NewJob, Submitted, insert_jobs, mark_published, request_cancel
from lifecycle_model import LONG_AGO_S, Claim, GiveBack, JobModel, Operation, Sent, World
from sqlalchemy import Connection, text

#: A lease that Postgres has certainly been up longer than.
_SHORT_S = 0.001
_ALL = 1000
_RETRYABLE = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)


# --- clients ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resubmit(Operation):
    """The same request again, under the same key."""

    job: int

    def expect(self, world: World, locked: Set[UUID]) -> Submitted:
        job = world.jobs[self.job]
        return Submitted(job.id, MODEL, False, job.status)

    def perform(self, connection: Connection, world: World) -> Submitted:
        request = make_request(idempotency_key=str(world.jobs[self.job].id))
        [answer] = insert_jobs(connection, [NewJob(new_id(), request)], max_attempts=1)
        return answer


@dataclass(frozen=True)
class Cancel(Operation):
    """Somebody asks for the end of a job."""

    job: int

    def expect(self, world: World, locked: Set[UUID]) -> JobStatus:
        job = world.jobs[self.job]
        if not job.status.is_final:
            job.cancel = True
            job.status = JobStatus.CANCELED if job.status is JobStatus.QUEUED else job.status
        return job.status

    def perform(self, connection: Connection, world: World) -> JobStatus | None:
        return request_cancel(connection, world.jobs[self.job].id)


@dataclass(frozen=True)
class Retry(Operation):
    """Somebody wants a job to be tried again."""

    job: int

    def expect(self, world: World, locked: Set[UUID]) -> Collection[UUID]:
        job = world.jobs[self.job]
        if job.status not in _RETRYABLE:
            return []
        job.queue()
        job.failures, job.due, job.cancel, job.ahead = 0, True, False, job.ahead or None
        return [job.id]

    def perform(self, connection: Connection, world: World) -> Collection[UUID]:
        return retry_jobs(connection, [world.jobs[self.job].id])


# --- producers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MarkSent(Operation):
    """The producer notes that it has sent it: soon, or when the job has already been through many hands."""

    job: int

    def settle(self, world: World) -> Self | None:
        return self if world.jobs[self.job].to_mark else None

    def expect(self, world: World, locked: Set[UUID]) -> None:
        job = world.jobs[self.job]
        job.to_mark = False
        # A job that has come back since needs another message than that one.
        if job.status is JobStatus.QUEUED and job.first_wait:
            job.sent = Sent.LATELY

    def perform(self, connection: Connection, world: World) -> None:
        mark_published(connection, [world.jobs[self.job].id])


# --- the relay --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep(Operation):
    """One of the relay's questions to all jobs."""

    skips: ClassVar[bool] = True

    def expect(self, world: World, locked: Set[UUID]) -> Set[object]:
        answers = ((job, self.take(job)) for job in world.jobs if job.id not in locked)
        return {(job.id, answer) for job, answer in answers if answer is not None}

    def take(self, job: JobModel) -> object:
        """Do it to one job, and answer; None if it is not concerned."""
        raise NotImplementedError


@dataclass(frozen=True)
class TakeUnsent(Sweep):
    """Jobs whose message has to be sent, and is."""

    def take(self, job: JobModel) -> bool | None:
        if job.status is not JobStatus.QUEUED or job.sent is not Sent.NO or not job.due:
            return None
        if not job.attempts and not job.waited:
            return None
        job.sent, job.messages, job.flushed = Sent.LATELY, job.messages + 1, False
        return True

    def perform(self, connection: Connection, world: World) -> Set[object]:
        return {(job.id, True) for job in take_unsent(connection, grace_s=LONG_AGO_S, limit=_ALL)}


@dataclass(frozen=True)
class ForgetSent(Sweep):
    """Jobs whose message seems to be lost."""

    def take(self, job: JobModel) -> bool | None:
        if job.status is not JobStatus.QUEUED or job.sent is not Sent.LONG_AGO:
            return None
        job.sent = Sent.NO
        return True

    def expect(self, world: World, locked: Set[UUID]) -> int:  # type: ignore[override]
        return len(super().expect(world, locked))

    def perform(self, connection: Connection, world: World) -> int:
        return forget_sent(connection, overdue_jobs(connection, MODEL, after_s=LONG_AGO_S), after_s=LONG_AGO_S)


@dataclass(frozen=True)
class Reclaim(Sweep):
    """Jobs whose lease ran out."""

    def take(self, job: JobModel) -> tuple[int, str] | None:
        if job.status is not JobStatus.RUNNING or job.leased:
            return None
        job.end_attempt(AttemptStatus.LOST, job.attempts[-1].steps)
        job.failures += 1
        job.queue()
        if job.cancel:
            job.status = JobStatus.CANCELED
        elif job.failures >= job.max_attempts:
            job.status = JobStatus.FAILED
        return len(job.attempts), job.status.value

    def perform(self, connection: Connection, world: World) -> Set[object]:
        return {(j.id, (j.attempt, j.status)) for j in reclaim_lost(connection, lease_s=_SHORT_S, limit=_ALL)}


@dataclass(frozen=True)
class Expire(Sweep):
    """Queued jobs whose deadline passed."""

    def take(self, job: JobModel) -> bool | None:
        if job.status is not JobStatus.QUEUED or job.ahead is not False:
            return None
        job.status = JobStatus.EXPIRED
        return True

    def expect(self, world: World, locked: Set[UUID]) -> int:  # type: ignore[override]
        return len(super().expect(world, locked))

    def perform(self, connection: Connection, world: World) -> int:
        return expire_queued(connection, limit=_ALL)


# --- Redis and the clock ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flush(Operation):
    """Redis loses everything."""

    def expect(self, world: World, locked: Set[UUID]) -> None:
        for job in world.jobs:
            job.messages, job.flushed = 0, True

    def perform(self, connection: Connection, world: World) -> None:
        """Redis is not part of this."""


class Moment(StrEnum):
    """What time can do to a job, and how it is done to the row."""

    LEASE = "lease_until = CASE WHEN status = 'running' THEN now() - interval '1 s' END"
    PAUSE = "not_before = now() - interval '1 s'"
    DEADLINE = "deadline = CASE WHEN deadline IS NOT NULL THEN now() - interval '1 s' END"
    SENT = "published_at = published_at - interval '1 h'"
    QUEUED = "queued_at = queued_at - interval '1 h', submitted_at = submitted_at - interval '1 h'"

    def __repr__(self) -> str:
        return f"Moment.{self.name}"


@dataclass(frozen=True)
class TimePasses(Operation):
    """A moment of a job has come."""

    job: int
    moment: Moment

    def expect(self, world: World, locked: Set[UUID]) -> None:
        job = world.jobs[self.job]
        match self.moment:
            case Moment.LEASE:
                job.leased = False if job.leased is not None else None
            case Moment.PAUSE:
                job.due = True
            case Moment.DEADLINE:
                job.ahead = False if job.ahead is not None else None
            case Moment.SENT:
                job.sent = Sent.NO if job.sent is Sent.NO else Sent.LONG_AGO
            case Moment.QUEUED:
                job.waited = True

    def perform(self, connection: Connection, world: World) -> None:
        connection.execute(text(f"UPDATE job SET {self.moment} WHERE id = :id"), {"id": world.jobs[self.job].id})


@dataclass(frozen=True)
class GoOn:
    """Whatever leads the job on."""

    job: int
    worker: int

    def settle(self, world: World) -> Operation | None:
        """What that is now."""
        job = world.jobs[self.job]
        match job.status:
            case JobStatus.QUEUED if job.ahead is False:
                return Expire()
            case JobStatus.QUEUED if not job.due:
                return TimePasses(self.job, Moment.PAUSE)
            case JobStatus.QUEUED:
                return TakeUnsent() if job.sent is Sent.NO and job.attempts else Claim(self.job, self.worker)
            case JobStatus.RUNNING:
                return GiveBack(self.job, 0).settle(world) if job.leased else Reclaim()
            case _:
                return Retry(self.job)
