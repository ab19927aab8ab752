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
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
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
    GoOn,
    MarkSent,
    Moment,
    Reclaim,
    Resubmit,
    Retry,
    TakeUnsent,
    TimePasses,
)
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

EXAMPLES = int(os.environ.get("LIFECYCLE_EXAMPLES", "100"))
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

    def submit(self, shapes: list[tuple[int, bool, bool]]) -> World:
        """Jobs of so many attempts, with or without a deadline, whose producer sent their message or died."""
        world = World([], self.workers)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        for seed, (max_attempts, deadline, sent) in enumerate(shapes):
            job = JobModel(new_id(), max_attempts, ahead=deadline or None, to_mark=sent, messages=int(sent))
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


def often(weights: dict[st.SearchStrategy[Any], int]) -> st.SearchStrategy[Any]:
    """One of these, in these proportions."""
    return st.sampled_from([each for each, weight in weights.items() for _ in range(weight)]).flatmap(lambda each: each)


#: Modulo the number of jobs.
JOB, WORKER = st.integers(0, 1), st.sampled_from([0, 0, *range(1, WORKERS)])
SHAPES = st.tuples(st.sampled_from([3, 3, 2, 1]), st.booleans(), st.booleans())
#: Of the newest attempt, mostly.
BACK = st.sampled_from([0, 0, 0, 1, 2])
ENDS = st.sampled_from([JobStatus.FAILED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED, JobStatus.SUCCEEDED])
SWEEP = st.sampled_from([Reclaim(), TakeUnsent(), ForgetSent(), Expire()])
# What leads on is here more often than what leads to an end.
DATABASE = often(
    {
        st.builds(GoOn, JOB, WORKER): 8,
        st.builds(Claim, JOB, WORKER): 4,
        st.builds(GiveBack, JOB, BACK, counts=st.booleans(), pause=st.booleans()): 4,
        st.builds(Finish, JOB, BACK, status=ENDS): 3,
        st.builds(Beat, WORKER, st.integers(0, 20), st.booleans()): 3,
        st.builds(Cancel, JOB): 3,
        st.builds(Retry, JOB): 1,
        st.builds(Resubmit, JOB): 1,
        st.builds(MarkSent, JOB): 2,
        SWEEP: 4,
    }
)
PASS = st.builds(TimePasses, JOB, st.sampled_from([*Moment, Moment.LEASE, Moment.LEASE]))
ANYTHING = often({DATABASE: 24, PASS: 7, st.builds(Flush): 1})
TWINS = st.one_of(SWEEP, DATABASE).map(lambda each: [each, each])
PAIR = st.one_of(TWINS, st.tuples(DATABASE, st.one_of(DATABASE, SWEEP)).flatmap(st.permutations))


class Lifecycle(RuleBasedStateMachine):
    """One or two jobs and three workers."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage, self.world = stage, World([], ())

    @initialize(shapes=st.lists(SHAPES, min_size=1, max_size=2), past=st.integers(0, 5))
    def jobs_are_submitted(self, shapes: list[tuple[int, bool, bool]], past: int) -> None:
        self.world = self.stage.submit(shapes)
        for job, _ in product(range(len(shapes)), range(past)):
            self.happens(GoOn(job, 0))

    @rule(operation=ANYTHING)
    def happens(self, operation: Operation | GoOn) -> None:
        settled = self._settle(operation)
        if settled is None:
            return
        answer = self.stage.do(self.stage.one, settled, self.world)
        assert answer == settled.expect(self.world, frozenset())
        assert observe(self.stage.look) == self.world.jobs
        self._check()

    @rule(before=PASS, pair=PAIR, how=st.sampled_from(["behind", "behind a rollback", "together"]))
    def two_at_once(self, before: TimePasses, pair: list[Operation | GoOn], how: str) -> None:
        self.happens(before)
        one, other = map(self._settle, pair)
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
                self._check()
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

    def _settle(self, operation: Operation | GoOn) -> Operation | None:
        job = getattr(operation, "job", None)
        here = operation if job is None else replace(operation, job=job % len(self.world.jobs))
        return here.settle(self.world)

    def _check(self) -> None:
        assert self.stage.broken() == []
        for job in self.world.jobs:
            # What counts as sent has a message, or nobody would start it. Redis may have lost it; an end may be near.
            waits = job.status is JobStatus.QUEUED and job.sent is not Sent.NO and job.ahead is not False
            assert not waits or job.messages or job.flushed, f"nobody will start {job}"

    def teardown(self) -> None:
        self.stage.clear()


@pytest.mark.timeout(600 + EXAMPLES)  # a failure takes minutes to be made small
def test_jobs_live_as_the_model_says_whatever_happens_in_whatever_order(database: Database) -> None:
    profile = settings(
        max_examples=EXAMPLES,
        # The default run is the same each time; what it does not find is looked for in longer ones.
        derandomize="LIFECYCLE_EXAMPLES" not in os.environ,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with ExitStack() as stack:
        stage = Stage(database, stack)
        run_state_machine_as_test(lambda: Lifecycle(stage), settings=profile)  # type: ignore[arg-type]
