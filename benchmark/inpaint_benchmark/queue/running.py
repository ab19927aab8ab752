"""Running: what a job costs beside its pipeline, and how long the device waits between two jobs."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from inpaint_core.ids import new_id
from inpaint_core.queues import connect_redis, make_celery, queue_name, redis_lists
from inpaint_core.settings import Settings
from inpaint_db.jobs import PHASES
from inpaint_db.queries import list_workers
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from sqlalchemy import text

from inpaint_benchmark.queue import bare_celery
from inpaint_benchmark.queue.scene import bench_catalogue, child_environment, mask, photo

_HANG_S = 300


@dataclass(frozen=True, slots=True)
class OverheadFigures:
    """Milliseconds per job: of a bare Celery task, of a no-op job, and of the latter's parts (medians)."""

    jobs: int
    bare_ms: float
    job_ms: float
    delivery_ms: float
    parts_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class IdleFigures:
    """How long the device waited between two jobs."""

    jobs: int
    job_s: float
    gap_ms: list[float]

    @property
    def idle_share(self) -> float:
        """Idle time between the first and the last job, as a share of the busy time."""
        return sum(self.gap_ms) / 1000 / (self.job_s * (self.jobs - 1))


def measure_overhead(settings: Settings, *, jobs: int = 300) -> OverheadFigures:
    """One job at a time, so that the time per job is the overhead and nothing hides behind a neighbour."""
    one = settings.model_copy(update={"worker_threads": 1, "log_level": "warning"})
    bare_ms = _bare(one, jobs)
    with InpaintClient(one, catalogue=bench_catalogue()) as client, _worker(one, "noop") as (process, _):
        _forget_jobs(one, "bench-noop")
        picture, marked = photo(64, 64, 0), mask(64, 64)
        client.wait(client.submit(picture, marked, model="bench-noop").id, timeout_s=_HANG_S)  # the first is cold
        campaign = f"overhead-{new_id()}"
        spec = JobSpec(picture, marked, "bench-noop", campaign=campaign)
        ids = [job.id for job in client.submit_many([spec] * jobs)]
        client.wait_many(ids, timeout_s=_HANG_S)
        wall_ms, phases = _phases(client.database, campaign)
        timed = _stop(process)["timed"]
    parts = {"claim": _median_ms(timed["claim"]), **phases, "finish": _median_ms(timed["finish"])}
    return OverheadFigures(jobs, bare_ms, wall_ms, _median_ms(timed["delivery"]), parts)


def measure_idle(
    settings: Settings, *, jobs: int = 20, seconds: float = 1.3, s3_delay_s: float = 0.02, pixels: int = 1024
) -> IdleFigures:
    """Different photos through a pipeline that sleeps, with a network in front of the object store."""
    quiet = settings.model_copy(update={"log_level": "warning"})
    arguments = ["--seconds", str(seconds), "--s3-delay", str(s3_delay_s)]
    with InpaintClient(quiet, catalogue=bench_catalogue()) as client:
        marked = mask(pixels, pixels)
        specs = [JobSpec(photo(pixels, pixels, n), marked, "bench-sleep") for n in range(jobs)]
        ids = [job.id for job in client.submit_many(specs)]
        with _worker(quiet, "sleep", *arguments) as (process, _):
            client.wait_many(ids, timeout_s=_HANG_S)
            busy = _stop(process)["busy"]
    gaps = [(after[0] - before[1]) * 1000 for before, after in itertools.pairwise(busy)]
    return IdleFigures(len(busy), statistics.median(end - start for start, end in busy), gaps)


def _bare(settings: Settings, jobs: int) -> float:
    """Milliseconds per task of bare Celery, with the same settings and pool."""
    app = make_celery(settings, [bare_celery.MODEL])
    for _ in range(jobs):
        app.send_task(bare_celery.TASK, task_id=str(new_id()), queue=queue_name(bare_celery.MODEL), ignore_result=True)
    with connect_redis(settings) as redis, _process(settings, "bare_celery") as (process, log):
        until = time.monotonic() + _HANG_S
        while any(redis.llen(name) for name in redis_lists(bare_celery.MODEL)):
            _alive(process, log, until)
        time.sleep(0.5)
        first, last, count = _stop_raw(process).splitlines()[-1].split()
    return (float(last) - float(first)) / (int(count) - 1) * 1000


def _phases(database: Database, campaign: str) -> tuple[float, dict[str, float]]:
    columns = ", ".join(
        f"1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY a.{phase}) AS {phase}"
        for phase in PHASES
        if phase != "queue_wait_s"
    )
    statement = f"""SELECT 1000 * extract(epoch FROM max(a.finished_at) - min(a.finished_at)) / (count(*) - 1) AS wall,
        {columns} FROM attempt a JOIN job j ON j.id = a.job_id WHERE j.campaign = :campaign"""  # noqa: S608
    with database.read() as connection:
        row = connection.execute(text(statement), {"campaign": campaign}).mappings().one()
    return float(row["wall"]), {name.removesuffix("_s"): float(row[name]) for name in row if name != "wall"}


def _forget_jobs(settings: Settings, model: str) -> None:
    """Jobs of other measurements should not run in this one."""
    with Database(settings) as database, database.begin() as connection:
        connection.execute(
            text("UPDATE job SET status = 'canceled', finished_at = now() WHERE model = :m AND status = 'queued'"),
            {"m": model},
        )
    with connect_redis(settings) as redis:
        redis.delete(*redis_lists(model))


@contextlib.contextmanager
def _worker(settings: Settings, kind: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    with Database(settings) as database, _process(settings, "worker_process", kind, *arguments) as (process, log):
        until = time.monotonic() + 60
        while True:
            with database.read() as connection:
                ready = [w.pid for w in list_workers(connection, live_s=30) if w.state == "ready"]
            if process.pid in ready:
                break
            _alive(process, log, until)
        yield process, log


@contextlib.contextmanager
def _process(settings: Settings, module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    command: Sequence[str] = [sys.executable, "-m", f"inpaint_benchmark.queue.{module}", *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, env=child_environment(settings), stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process, log
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _alive(process: subprocess.Popen[str], log: IO[str], until: float) -> None:
    if process.poll() is not None or time.monotonic() > until:
        log.seek(0)
        raise RuntimeError(f"The measured process is not there (status {process.poll()}):\n{log.read()[-2000:]}")
    time.sleep(0.1)


def _stop(process: subprocess.Popen[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_stop_raw(process).splitlines()[-1])
    return found


def _stop_raw(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    return out.strip()


def _median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
