"""Whatever happens to jobs in whatever order, also at once: Postgres ends up where a simple model does.

Removing the fence from the end of an attempt, or the status from the claim, makes this fail. It is random, and short by
default: LIFECYCLE_EXAMPLES=2000 looks longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations, product
from typing import Any
from uuid import UUID

import pytest
from factories import make_request, make_worker
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from inpaint_core.catalogue import load_catalogue
from inpaint_core.ids import new_id
from inpaint_core.status import LAWFUL_MOVES, JobStatus
from inpaint_db.session import Database
from inpaint_db.submissions import NewJob, insert_jobs, register_models
from lifecycle_model import (
    Beat,
    Claim,
    Finish,
    GiveBack,
    JobModel,
    Operation,
    Sent,
    World,
    observe,
)
from lifecycle_model_outside import (
    Cancel,
    Expire,
    Flush,
    ForgetSent,
    MarkSent,
    Moment,
    Reclaim,
    Resubmit,
    Retry,
    Send,
    TakeUnsent,
    TimePasses,
)
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

EXAMPLES = int(os.environ.get("LIFECYCLE_EXAMPLES", "60"))
WORKERS = 3

# --- the laws, as Postgres sees them ----------------------------------------------------------------------------------

#: Every version of every row goes through this, also what two statements do between two looks.
WATCH = """
CREATE TABLE move (job_id uuid, was text, became text, attempts int);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO move VALUES (NEW.id, OLD.status, NEW.status, NEW.attempt - OLD.attempt); RETURN NULL; END $$;
CREATE TRIGGER watch AFTER UPDATE ON job FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.attempt <> NEW.attempt) EXECUTE FUNCTION note_move();
"""
LAWFUL = ", ".join(f"('{was}', '{became}')" for was, moves in LAWFUL_MOVES.items() for became in moves)
#: Each finds who breaks it.
LAWS = {
    "a job moves as LAWFUL_MOVES says": f"SELECT FROM move WHERE (was, became) NOT IN ({LAWFUL})",
    "a start, and nothing else, takes the next number": """
        SELECT FROM move WHERE attempts <> (was = 'queued' AND became = 'running')::int""",
    "attempts are numbered 1, 2, 3 up to that of the job": """
        SELECT FROM job j WHERE attempt <> (SELECT count(*) FROM attempt a WHERE a.job_id = j.id)
            OR attempt <> (SELECT coalesce(max(number), 0) FROM attempt a WHERE a.job_id = j.id)""",
    "only the newest attempt of a running job runs": """
        SELECT FROM attempt a JOIN job j ON j.id = a.job_id
         WHERE a.status = 'running' AND (a.number <> j.attempt OR j.status <> 'running')""",
    "a running job has a lease, and an attempt of its worker that runs": """
        SELECT FROM job j LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt WHERE j.status = 'running'
           AND (lease_until IS NULL OR a.status <> 'running' OR a.worker_id IS DISTINCT FROM j.worker_id)""",
    "a job that does not run has neither lease nor worker": """
        SELECT FROM job WHERE status <> 'running' AND (lease_until IS NOT NULL OR worker_id IS NOT NULL)""",
    "failures are attempts, and not more than allowed": """
        SELECT FROM job WHERE failures > attempt OR failures > max_attempts""",
    "what waits may still start": """
        SELECT FROM job WHERE status = 'queued' AND (failures >= max_attempts OR cancel_requested_at IS NOT NULL)""",
    "the end has a time": """
        SELECT FROM job WHERE (status IN ('queued', 'running')) <> (finished_at IS NULL)""",
    "a success has one output, of its newest attempt, and nothing else has": """
        SELECT FROM job j LEFT JOIN output o ON o.job_id = j.id
         GROUP BY j.id HAVING count(o.id) <> (j.status = 'succeeded')::int OR bool_or(o.attempt <> j.attempt)""",
}
BROKEN = " UNION ALL ".join(f"SELECT '{law}' AS law WHERE EXISTS ({broken})" for law, broken in LAWS.items())


# --- where it happens -------------------------------------------------------------------------------------------------


class Stage:
    """A database of its own, and two connections that ask it at the same time."""

    def __init__(self, database: Database, stack: ExitStack) -> None:
        engine = create_engine(database.engine.url, poolclass=NullPool)
        self.one, self.other, self.gate, self.look = (stack.enter_context(engine.connect()) for _ in range(4))
        self.look.execution_options(isolation_level="AUTOCOMMIT")
        self._threads = stack.enter_context(ThreadPoolExecutor(2))
        with self.one.begin():
            self.one.execute(text(WATCH))
            register_models(self.one, [load_catalogue().card(make_request().model)])
            self.workers = tuple(make_worker(self.one) for _ in range(WORKERS))

    def clear(self) -> None:
        self.look.execute(text("DELETE FROM job"))
        self.look.execute(text("DELETE FROM move"))

    def submit(self, shapes: list[tuple[int, bool]]) -> World:
        world = World([], self.workers)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        for seed, (max_attempts, deadline) in enumerate(shapes):
            job = JobModel(new_id(), max_attempts, ahead=True if deadline else None)
            # The seed is here to tell the jobs' order.
            request = make_request(idempotency_key=str(job.id), deadline=tomorrow if deadline else None)
            with self.one.begin():
                insert_jobs(self.one, [NewJob(job.id, request)], max_attempts=max_attempts)
                self.one.execute(text("UPDATE job SET seed = :seed WHERE id = :id"), {"seed": seed, "id": job.id})
            world.jobs.append(job)
        return world

    def broken(self) -> list[str]:
        return list(self.look.execute(text(BROKEN)).scalars())

    def do(self, connection: Connection, operation: Operation, world: World) -> Any:
        with connection.begin():
            return operation.perform(connection, world)

    def behind(self, first: Operation, second: Operation, world: World, *, commit: bool) -> tuple[Any, Any]:
        """`second` comes while the transaction of `first` is open."""
        with self.one.begin() as transaction:
            answer = first.perform(self.one, world)
            waiting = self._start(self.other, second, world)
            transaction.commit() if commit else transaction.rollback()
        return answer, waiting.result()

    def together(self, first: Operation, second: Operation, world: World) -> tuple[Any, Any]:
        """Both come while somebody else holds all jobs, and both have looked before either may write."""
        with self.gate.begin():
            self.gate.execute(text("SELECT FROM job FOR UPDATE"))
            waiting = [self._start(self.one, first, world), self._start(self.other, second, world)]
        return waiting[0].result(), waiting[1].result()

    def _start(self, connection: Connection, operation: Operation, world: World) -> Future[Any]:
        """Returns when it is done, or waits for a lock."""
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        blocked = text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")
        future = self._threads.submit(self.do, connection, operation, world)
        while not future.done() and not self.look.execute(blocked, {"pid": pid}).scalar_one():
            time.sleep(0.0005)
        return future


# --- what happens -----------------------------------------------------------------------------------------------------

#: Taken modulo the number of jobs.
JOB, WORKER = st.integers(0, 2), st.integers(0, WORKERS - 1)
BACK = st.sampled_from([0, 0, 0, 1, 2])
ENDS = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)
CLAIM = st.builds(Claim, JOB, WORKER)
WORK = st.one_of(
    st.builds(Finish, JOB, BACK, status=st.sampled_from(ENDS)),
    st.builds(GiveBack, JOB, BACK, counts=st.booleans(), pause=st.booleans()),
    st.builds(Beat, WORKER, st.integers(0, 20)),
)
ASK = st.one_of(*(st.builds(ask, JOB) for ask in (Resubmit, Cancel, Retry)))
PRODUCE = st.one_of(st.builds(Send, JOB), st.builds(MarkSent, JOB))
SWEEP = st.sampled_from([Reclaim(), TakeUnsent(), ForgetSent(), Expire()])
PASS = st.one_of(st.builds(TimePasses, JOB, st.sampled_from(Moment)), st.builds(Flush))
DATABASE = st.one_of(CLAIM, WORK, ASK, SWEEP, st.builds(MarkSent, JOB))


class Lifecycle(RuleBasedStateMachine):
    """Up to three jobs and three workers."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage, self.world = stage, World([], ())

    @initialize(shapes=st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=3))
    def jobs_are_submitted(self, shapes: list[tuple[int, bool]]) -> None:
        self.world = self.stage.submit(shapes)

    @rule(operation=CLAIM)
    def a_message_arrives(self, operation: Operation) -> None:
        self._one(operation)

    @rule(operation=WORK)
    def a_worker_tells(self, operation: Operation) -> None:
        self._one(operation)

    @rule(operation=ASK)
    def somebody_asks(self, operation: Operation) -> None:
        self._one(operation)

    @rule(operation=PRODUCE)
    def the_producer_goes_on(self, operation: Operation) -> None:
        self._one(operation)

    @rule(operation=SWEEP)
    def the_relay_sweeps(self, operation: Operation) -> None:
        self._one(operation)

    @rule(operation=PASS)
    def time_passes(self, operation: Operation) -> None:
        self._one(operation)

    @rule(first=DATABASE, second=DATABASE, how=st.sampled_from(["behind", "behind a rollback", "together"]))
    def two_at_once(self, first: Operation, second: Operation, how: str) -> None:
        one, other = self._settle(first), self._settle(second)
        if one is None or other is None:
            return
        if how == "together":
            answers = self.stage.together(one, other, self.world)
        else:
            answers = self.stage.behind(one, other, self.world, commit=how == "behind")
        found, possible = observe(self.stage.look), []
        for world, expected in self._orders(one, other, rolled_back=how == "behind a rollback"):
            if world.jobs == found and expected == answers[-len(expected) :]:
                self.world = world
                return
            possible.append((expected, world.jobs))
        raise AssertionError(f"as in no order: {one}, {other}: {answers} {found}; possible: {possible}")

    def _orders(
        self, one: Operation, other: Operation, *, rolled_back: bool
    ) -> Iterator[tuple[World, tuple[Any, ...]]]:
        """What may come of both, with the answers: one after the other; a sweep may pass over any job meanwhile."""
        operations = (other,) if rolled_back else (one, other)
        ids = [job.id for job in self.world.jobs]
        subsets = [frozenset(some) for size in range(len(ids) + 1) for some in combinations(ids, size)]
        passed_over = [subsets if operation.skips else [frozenset[UUID]()] for operation in operations]
        for locked in product(*passed_over):
            for order in permutations(range(len(operations))):
                world = self.world.copy()
                answers = {i: operations[i].expect(world, locked[i]) for i in order}
                yield world, tuple(answers[i] for i in range(len(operations)))

    def _settle(self, operation: Operation) -> Operation | None:
        job = getattr(operation, "job", None)
        here = operation if job is None else replace(operation, job=job % len(self.world.jobs))  # type: ignore[call-arg]
        return here.settle(self.world)

    def _one(self, operation: Operation) -> None:
        settled = self._settle(operation)
        if settled is None:
            return
        answer = self.stage.do(self.stage.one, settled, self.world)
        assert answer == settled.expect(self.world, frozenset())
        assert observe(self.stage.look) == self.world.jobs

    @invariant()
    def the_laws_hold(self) -> None:
        assert self.stage.broken() == []

    @invariant()
    def what_counts_as_sent_has_a_message(self) -> None:
        """Or nobody would ever start it; only a Redis that lost everything, or a deadline, is another matter."""
        for job in self.world.jobs:
            waits = job.status is JobStatus.QUEUED and job.sent is not Sent.NO and job.ahead is not False
            assert not waits or job.messages or job.flushed

    def teardown(self) -> None:
        self.stage.clear()


@pytest.mark.timeout(180 + EXAMPLES)
def test_jobs_live_as_the_model_says_whatever_happens_in_whatever_order(database: Database) -> None:
    profile = settings(
        max_examples=EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    with ExitStack() as stack:
        stage = Stage(database, stack)
        run_state_machine_as_test(lambda: Lifecycle(stage), settings=profile)  # type: ignore[arg-type]
