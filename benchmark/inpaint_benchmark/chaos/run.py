"""One run: servers, processes and connections are put on stage, the director breaks them, the verdict is told."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from inpaint_core.queues import make_celery
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_producer import InpaintClient

from inpaint_benchmark.chaos.director import Director
from inpaint_benchmark.chaos.orders import Order, make_orders
from inpaint_benchmark.chaos.plan import Planned, make_plan
from inpaint_benchmark.chaos.processes import Processes, Slot
from inpaint_benchmark.chaos.producer import Producer
from inpaint_benchmark.chaos.proxy import FaultyProxy
from inpaint_benchmark.chaos.sabotage import Sabotage
from inpaint_benchmark.chaos.scene import MODELS, chaos_catalogue, quick
from inpaint_benchmark.chaos.servers import Servers
from inpaint_benchmark.chaos.stage import Journal, Stage
from inpaint_benchmark.chaos.verdict import Evidence, recoveries, violations
from inpaint_benchmark.queue.scene import child_environment


@dataclass(frozen=True, slots=True)
class Run:
    """What is to happen. Everything that is left to chance is decided by `seed`."""

    seed: int
    orders: Sequence[Order]
    plan: Sequence[Planned]
    #: One worker each.
    workers: Sequence[str] = (MODELS[0], MODELS[0], MODELS[1])
    relays: int = 2
    #: Seconds that all jobs have to end once the last fault is over.
    quiet_s: float = 60
    sabotage: Sabotage = "none"

    @classmethod
    def whole(cls, seed: int, jobs: int = 300, window_s: float = 60) -> Run:
        """Everything at once, over `window_s` seconds."""
        return cls(seed, make_orders(seed, jobs, window_s), make_plan(seed, window_s))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    seed: int
    wall_s: float
    #: Final status -> jobs.
    ended: dict[str, int]
    attempts: int
    #: Submissions that had to be repeated because a service was away.
    repeats: int
    #: Processes that were started in place of one that ended.
    restarts: int
    #: Fault -> times made, jobs hit.
    faults: dict[str, tuple[int, int]]
    #: Fault -> seconds until each job that was hit ran again or had ended.
    recoveries: dict[str, list[float]]
    #: Promises that were broken, in words.
    violations: list[str]
    #: Faults that were not made because what they need was away.
    skipped: list[str]


def run_chaos(
    run: Run, settings: Settings, servers: Servers, say: Callable[[str], None], logs: Path | None = None
) -> Result:
    """Run it on servers of its own, whose database is migrated and empty. Call it from the main thread.

    `logs` is a folder, empty or not there, that keeps what the processes said; without it, that is thrown away.
    """
    direct = quick(settings)
    assert direct.s3_url  # noqa: S101  (the servers are there)
    target = urlsplit(direct.s3_url)
    proxy = FaultyProxy(str(target.hostname), int(target.port or 80))
    through = direct.model_copy(update={"s3_url": f"http://127.0.0.1:{proxy.port}"})
    app = make_celery(through, MODELS, for_producer=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="inpaint-chaos-", ignore_cleanup_errors=True) as folder,
            Database(through, application="inpaint-chaos", pool_size=2) as database,
            InpaintClient(through, catalogue=chaos_catalogue()) as client,
        ):
            logs = logs or Path(folder)
            logs.mkdir(parents=True, exist_ok=True)
            stage = Stage(
                settings=through,
                servers=servers,
                proxy=proxy,
                processes=_processes(run, through, logs),
                producer=Producer(through, run.orders),
                client=client,
                app=app,
                database=database,
                rng=random.Random(f"choices {run.seed}"),
                journal=Journal(),
                env=child_environment(through),
            )
            try:
                director = Director(stage, run.plan, say)
                wall_s = director.play(run.quiet_s)
                return _look(run, stage, director, logs, wall_s, S3Store(direct))
            finally:
                stage.producer.stop()
                stage.processes.stop()
    finally:
        app.close()
        proxy.close()


def _processes(run: Run, settings: Settings, folder: Path) -> Processes:
    env = child_environment(settings)
    worker, relay = "inpaint_benchmark.chaos.worker_process", "inpaint_benchmark.chaos.relay_process"
    options = ("--log", str(folder), "--sabotage", run.sabotage)
    workers = [Slot(f"worker-{n}", (worker, model, *options), env, folder) for n, model in enumerate(run.workers)]
    relays = 0 if run.sabotage == "relay" else run.relays
    return Processes(workers, [Slot(f"relay-{n}", (relay,), env, folder) for n in range(relays)])


def _look(run: Run, stage: Stage, director: Director, logs: Path, wall_s: float, store: S3Store) -> Result:
    producer, journal = stage.producer, stage.journal
    again = director.submit_again()
    evidence = Evidence(run.orders, producer.accepted, again, journal, logs, stage.settings.lease_s)
    with stage.database.read() as connection:
        broken = violations(connection, store, evidence)
        recovered = recoveries(connection, journal.injections)
    if producer.error is not None:
        broken.append(f"the producer ended with {producer.error!r}")
    faults: dict[str, tuple[int, int]] = {}
    for injection in journal.injections:
        times, jobs = faults.get(injection.fault, (0, 0))
        faults[injection.fault] = (times + 1, jobs + len(injection.jobs))
    slots = (*stage.processes.workers, *stage.processes.relays)
    return Result(
        seed=run.seed,
        wall_s=wall_s,
        ended=stage.count("SELECT status, count(*) FROM job GROUP BY status ORDER BY status"),
        attempts=stage.count("SELECT 'all', count(*) FROM attempt")["all"],
        repeats=producer.repeats,
        restarts=sum(slot.starts for slot in slots) - len(slots),
        faults=faults,
        recoveries=recovered,
        violations=broken,
        skipped=director.skipped,
    )
