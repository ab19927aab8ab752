"""The life of jobs in plain Python: what each statement of the database has to do and to answer. Here: the workers'.

An operation says what it does to the model (`expect`) and does it to the database (`perform`). The model knows of no
locks and no snapshots: one operation comes after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set
from copy import copy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from factories import make_output, try_claim
from inpaint_core.status import AttemptStatus, JobStatus, WorkerState
from inpaint_db.claims import AttemptReport, Claimed, Progress, finish, renew, requeue
from inpaint_db.presence import WorkerIdentity
from sqlalchemy import Connection, Row, text

#: Leases and pauses last an hour, and what is older than half of one is long ago.
HOUR_S = 3600
LONG_AGO_S = HOUR_S / 2


class Sent(StrEnum):
    """When the message of a job was last sent, by `published_at`."""

    NO = "no"
    LATELY = "lately"
    LONG_AGO = "long ago"


@dataclass(frozen=True, slots=True)
class AttemptModel:
    """One attempt."""

    worker: UUID
    status: AttemptStatus
    steps: int | None = None


@dataclass(slots=True)
class JobModel:
    """One job. The fields of the second part are not the database's but the broker's and the producer's."""

    id: UUID
    max_attempts: int
    status: JobStatus = JobStatus.QUEUED
    attempts: tuple[AttemptModel, ...] = ()
    failures: int = 0
    worker: UUID | None = None
    leased: bool | None = None  #: None: no lease; False: it ran out
    due: bool = True
    ahead: bool | None = None  #: whether the deadline still lies ahead; None: no deadline
    cancel: bool = False
    sent: Sent = Sent.NO
    waited: bool = False  #: in its queue for long
    outputs: tuple[int, ...] = ()  #: attempts that stored one

    to_mark: bool = field(default=False, compare=False)
    first_wait: bool = field(default=True, compare=False)
    messages: int = field(default=0, compare=False)
    flushed: bool = field(default=False, compare=False)  #: Redis lost its message

    def queue(self) -> None:
        """Into its queue, not for the first time."""
        self.status, self.sent, self.waited, self.first_wait = JobStatus.QUEUED, Sent.NO, False, False

    def end_attempt(self, status: AttemptStatus, steps: int | None) -> None:
        """Close the newest attempt and take the job from its worker."""
        self.attempts = (*self.attempts[:-1], replace(self.attempts[-1], status=status, steps=steps))
        self.worker = self.leased = None

    def holds(self, number: int) -> bool:
        """Whether attempt `number` is the current one."""
        return self.status is JobStatus.RUNNING and len(self.attempts) == number


@dataclass(slots=True)
class World:
    """All jobs, and who works on them. Jobs and workers are named by their index."""

    jobs: list[JobModel]
    workers: tuple[WorkerIdentity, ...]
    claims: dict[tuple[int, int], Claimed] = field(default_factory=dict)

    def copy(self) -> World:
        """Another, whose jobs may change."""
        return replace(self, jobs=[copy(job) for job in self.jobs])


_OBSERVE = """
SELECT j.*, lease_until > now() AS leased, not_before <= now() AS due, deadline > now() AS ahead,
       cancel_requested_at IS NOT NULL AS cancel, queued_at < now() - make_interval(secs => :long_ago) AS waited,
       published_at < now() - make_interval(secs => :long_ago) AS sent_long_ago,
       ARRAY(SELECT attempt FROM output WHERE job_id = j.id ORDER BY attempt) AS outputs,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(worker_id, status, steps_done) ORDER BY number), '[]')
          FROM attempt WHERE job_id = j.id) AS attempts
  FROM job j ORDER BY j.seed
"""


def observe(connection: Connection) -> list[JobModel]:
    """All jobs as they stand in the database, in the order of their seeds."""
    return [_observed(row) for row in connection.execute(text(_OBSERVE), {"long_ago": LONG_AGO_S})]


def _observed(row: Row[Any]) -> JobModel:
    sent = {None: Sent.NO, False: Sent.LATELY, True: Sent.LONG_AGO}[row.sent_long_ago]
    attempts = tuple(AttemptModel(UUID(w), AttemptStatus(status), steps) for w, status, steps in row.attempts)
    return JobModel(row.id, row.max_attempts, JobStatus(row.status), attempts, row.failures, row.worker_id, row.leased,
                    row.due, row.ahead, row.cancel, sent, row.waited, tuple(row.outputs))  # fmt: skip


@dataclass(frozen=True)
class Operation(ABC):
    """Something that somebody asks of the database."""

    #: It passes over rows that others have locked.
    skips: ClassVar[bool] = False

    def settle(self, world: World) -> Self | None:
        """The operation with everything named that depends on the moment; None if it makes no sense now."""
        return self

    @abstractmethod
    def expect(self, world: World, locked: Set[UUID]) -> Any:
        """Do it to the model, and answer. `locked`: what others hold, if it `skips`."""

    @abstractmethod
    def perform(self, connection: Connection, world: World) -> Any:
        """Do it to the database, and answer."""


# --- workers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim(Operation):
    """A message arrives."""

    job: int
    worker: int

    def expect(self, world: World, locked: Set[UUID]) -> int | None:
        job, worker = world.jobs[self.job], world.workers[self.worker].id
        job.messages = max(0, job.messages - 1)
        if job.status is not JobStatus.QUEUED or not job.due or job.ahead is False or job.cancel:
            return None
        job.status, job.worker, job.leased = JobStatus.RUNNING, worker, True
        job.attempts = (*job.attempts, AttemptModel(worker, AttemptStatus.RUNNING))
        return len(job.attempts)

    def perform(self, connection: Connection, world: World) -> int | None:
        claimed = try_claim(connection, world.jobs[self.job].id, world.workers[self.worker], lease_s=HOUR_S)
        if claimed is None:
            return None
        world.claims[self.job, claimed.number] = claimed
        return claimed.number


@dataclass(frozen=True)
class End(Operation, ABC):
    """What a worker says at the end of an attempt: of the newest, or of one `back` that woke up too late."""

    job: int
    back: int
    number: int = 0

    def settle(self, world: World) -> Self | None:
        newest = len(world.jobs[self.job].attempts)
        return replace(self, number=max(newest - self.back, 1)) if newest else None

    def report(self) -> AttemptReport:
        """Tells the attempts apart."""
        return AttemptReport(steps_done=100 + self.number)


@dataclass(frozen=True)
class Finish(End):
    """The attempt ends, and the job with it."""

    status: JobStatus = JobStatus.SUCCEEDED

    def expect(self, world: World, locked: Set[UUID]) -> bool:
        job = world.jobs[self.job]
        if not job.holds(self.number):
            return False
        job.end_attempt(AttemptStatus(self.status.value), 100 + self.number)
        job.status = self.status
        job.failures += self.status is JobStatus.FAILED
        job.outputs += (self.number,) if self.status is JobStatus.SUCCEEDED else ()
        return True

    def perform(self, connection: Connection, world: World) -> bool:
        claimed = world.claims[self.job, self.number]
        outputs = [make_output(claimed)] if self.status is JobStatus.SUCCEEDED else []
        return finish(connection, claimed, self.status, self.report(), outputs)


@dataclass(frozen=True)
class GiveBack(End):
    """The attempt ends, and the job goes back to its queue: after a failure that counts, or because a worker stops."""

    counts: bool = False
    pause: bool = False

    def settle(self, world: World) -> Self | None:
        settled = super().settle(world)
        if settled is None:
            return None
        # A worker whose attempt was the last one fails the job instead.
        claimed = world.claims[self.job, settled.number]
        return None if self.counts and claimed.failures + 1 >= claimed.max_attempts else settled

    def expect(self, world: World, locked: Set[UUID]) -> bool:
        job = world.jobs[self.job]
        if not job.holds(self.number):
            return False
        job.end_attempt(AttemptStatus.FAILED if self.counts else AttemptStatus.RELEASED, 100 + self.number)
        job.queue()
        job.status = JobStatus.CANCELED if job.cancel else job.status
        job.failures, job.due = job.failures + self.counts, not self.pause
        return True

    def perform(self, connection: Connection, world: World) -> bool:
        claimed, pause_s = world.claims[self.job, self.number], HOUR_S if self.pause else 0
        return requeue(connection, claimed, self.report(), counts=self.counts, pause_s=pause_s)


@dataclass(frozen=True)
class Beat(Operation):
    """A heartbeat for every attempt that the worker ever had in hand, or for those that it slept through the end of."""

    worker: int
    steps: int
    ended: bool
    attempts: tuple[tuple[int, int], ...] = ()

    def settle(self, world: World) -> Self:
        attempts = tuple(
            (index, number)
            for index, job in enumerate(world.jobs)
            for number, attempt in enumerate(job.attempts, 1)
            if attempt.worker == world.workers[self.worker].id and not (self.ended and job.holds(number))
        )
        return replace(self, attempts=attempts)

    def expect(self, world: World, locked: Set[UUID]) -> tuple[Set[tuple[UUID, int]], Set[tuple[UUID, int]]]:
        held = []
        for index, number in self.attempts:
            job = world.jobs[index]
            if job.holds(number):
                job.leased = True
                job.attempts = (*job.attempts[:-1], replace(job.attempts[-1], steps=self.steps))
                held.append((job, number))
        return {(job.id, n) for job, n in held}, {(job.id, n) for job, n in held if job.cancel}

    def perform(self, connection: Connection, world: World) -> tuple[Set[tuple[UUID, int]], Set[tuple[UUID, int]]]:
        beats = [Progress(world.jobs[i].id, number, "infer", self.steps, 20) for i, number in self.attempts]
        renewed = renew(connection, world.workers[self.worker].id, WorkerState.READY, beats, lease_s=HOUR_S)
        return renewed.held, renewed.canceled
