"""Everything that a fault may touch, in one hand."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from inpaint_core.errors import InpaintError
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from sqlalchemy import text

from inpaint_benchmark.chaos.processes import Processes, Slot
from inpaint_benchmark.chaos.producer import Producer
from inpaint_benchmark.chaos.proxy import FaultyProxy
from inpaint_benchmark.chaos.servers import Servers


@dataclass(frozen=True, slots=True)
class Hit:
    """A job that a fault could hurt, from when on, and in which attempt; None: only its end counts as recovery."""

    at: float
    attempt: int | None


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that was made, and the jobs that it met. Grows while the fault lasts."""

    fault: str
    jobs: dict[UUID, Hit] = field(default_factory=dict)

    def meets(self, jobs: Mapping[UUID, int]) -> None:
        """Note jobs with their attempt; those that were noted before keep their moment."""
        now = time.time()
        for job, attempt in jobs.items():
            self.jobs.setdefault(job, Hit(now, attempt))


@dataclass(slots=True)
class Journal:
    """What was done in a run, and what is known of it besides the database."""

    injections: list[Injection] = field(default_factory=list)
    #: Job -> what the first cancel of it answered.
    cancels: dict[UUID, JobStatus] = field(default_factory=dict)
    #: Keys of a producer that died -> the model that their jobs are for.
    orphaned_keys: dict[str, str] = field(default_factory=dict)
    #: Ids of malformed messages for which the fleet keeps a failed job.
    refused: set[UUID] = field(default_factory=set)

    def hit(self, fault: str, jobs: Mapping[UUID, int] | None = None) -> Injection:
        """Note the fault, just before it is made."""
        injection = Injection(fault)
        injection.meets(jobs or {})
        self.injections.append(injection)
        return injection


@dataclass(slots=True)
class Stage:
    """One run's servers, processes and connections. `settings` lead to S3 through the proxy, `database` directly."""

    settings: Settings
    servers: Servers
    proxy: FaultyProxy
    processes: Processes
    producer: Producer
    client: InpaintClient
    app: Any
    database: Database
    rng: random.Random
    journal: Journal
    env: Mapping[str, str]
    #: What is away at the moment, so that nobody kills it twice.
    away: set[str] = field(default_factory=set)

    def running(self, pids: Collection[int] | None = None) -> dict[UUID, int]:
        """Jobs that run now, on these worker processes or on any; none if the database is away."""
        return self.jobs(
            """SELECT j.id, j.attempt FROM job j JOIN worker w ON w.id = j.worker_id
                WHERE j.status = 'running' AND (CAST(:pids AS int[]) IS NULL OR w.pid = ANY(:pids))""",
            pids=None if pids is None else list(pids),
        )

    def queued(self, *, sent: bool) -> dict[UUID, int]:
        """Queued jobs whose message was sent, or was not."""
        return self.jobs(
            "SELECT id, attempt FROM job WHERE status = 'queued' AND (published_at IS NOT NULL) = :sent", sent=sent
        )

    def unfinished(self) -> dict[UUID, int]:
        """Jobs that have not ended."""
        return self.jobs("SELECT id, attempt FROM job WHERE status IN ('queued', 'running')")

    def until_busy(self, for_s: float = 3) -> Iterator[float]:
        """Wait until a job runs: a fault that meets nobody shows nothing."""
        until = time.monotonic() + for_s
        while not self.running() and time.monotonic() < until:
            yield 0.02

    def while_it_lasts(
        self, injection: Injection, meets: Callable[[], Mapping[UUID, int]], s: float
    ) -> Iterator[float]:
        """Wait `s` seconds, and note whom the fault meets meanwhile."""
        until = time.monotonic() + s
        while (left := until - time.monotonic()) > 0:
            injection.meets(meets())
            yield min(left, 0.2)

    def busy_worker(self) -> Slot | None:
        """A worker that is up, rather one that has a job in hand."""
        up = [slot for slot in self.processes.workers if slot.pid is not None and not slot.frozen]
        busy = [slot for slot in up if slot.pid is not None and self.running([slot.pid])]
        return self.rng.choice(busy or up) if up else None

    def count(self, statement: str) -> dict[str, int]:
        """The rows of a counting statement: name -> number."""
        with self.database.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(text(statement))}

    def jobs(self, statement: str, **values: object) -> dict[UUID, int]:
        """Rows of id and attempt; none if the database is away."""
        try:
            with self.database.read() as connection:
                return {row.id: row.attempt for row in connection.execute(text(statement), values)}
        except InpaintError:
            return {}


def median(values: Collection[float]) -> float | None:
    """The middle one; None of none."""
    return statistics.median(values) if values else None


def p95(values: Collection[float]) -> float | None:
    """The value that one in twenty exceeds; None of none."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))] if values else None
