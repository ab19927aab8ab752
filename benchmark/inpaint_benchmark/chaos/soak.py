"""A long quiet run: many jobs that do nothing, through one worker, while it is watched for what grows."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inpaint_core.queues import connect_redis
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from redis import Redis
from sqlalchemy import text

from inpaint_benchmark.chaos.processes import Processes, Slot
from inpaint_benchmark.chaos.scene import MODELS, chaos_catalogue
from inpaint_benchmark.queue.scene import child_environment, mask, photo

#: Jobs that are submitted at a time, while fewer than that wait: the queue itself should not grow either.
_PORTION = 500
_SIDE = 64
#: A run in which nothing ends for so long has failed.
_STUCK_S = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment. Threads, files and memory are the worker's."""

    at_s: float
    ended: int
    rss_bytes: int
    threads: int
    files: int
    postgres_connections: int
    redis_keys: int
    redis_clients: int
    redis_bytes: int


#: What must not grow, as (name, unit, divisor).
_WATCHED = (
    ("rss_bytes", "MB", 1e6),
    ("threads", "", 1),
    ("files", "", 1),
    ("postgres_connections", "", 1),
    ("redis_keys", "", 1),
    ("redis_clients", "", 1),
    ("redis_bytes", "MB", 1e6),
)


def soak(settings: Settings, say: Callable[[str], None], *, jobs: int = 20_000, every_s: float = 5) -> list[Sample]:
    """Run the jobs; a sample every `every_s` seconds while they run. The database must be migrated."""
    quiet = settings.model_copy(update={"log_level": "warning"})
    with (
        tempfile.TemporaryDirectory(prefix="inpaint-soak-", ignore_cleanup_errors=True) as folder,
        Database(quiet, application="inpaint-soak", pool_size=1) as database,
        InpaintClient(quiet, catalogue=chaos_catalogue()) as client,
        connect_redis(quiet) as redis,
    ):
        env = child_environment(quiet)
        worker = Slot("worker", ("inpaint_benchmark.chaos.worker_process", MODELS[0]), env, Path(folder))
        relay = Slot("relay", ("inpaint_benchmark.chaos.relay_process",), env, Path(folder))
        processes = Processes([worker], [relay])
        spec = JobSpec(photo(_SIDE, _SIDE, 0), mask(_SIDE, _SIDE), MODELS[0], "noop")
        samples: list[Sample] = []
        started = moved = time.monotonic()
        submitted = 0
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(processes.stop)
            while not samples or samples[-1].ended < jobs:
                processes.tend()
                while submitted < jobs and submitted - _ended(database) < _PORTION:
                    submitted += sum(1 for _ in client.submit_many([spec] * min(_PORTION, jobs - submitted)))
                time.sleep(every_s if worker.starts and submitted - _ended(database) > 0 else 0.1)
                sample = _sample(worker, database, redis, time.monotonic() - started)
                if not samples or sample.ended > samples[-1].ended:
                    moved = time.monotonic()
                if time.monotonic() - moved > _STUCK_S or worker.starts > 1:
                    raise RuntimeError(f"the soak stands still at {sample.ended} jobs: {_tail(Path(folder))}")
                samples.append(sample)
                say(f"{sample.ended:>7} jobs  {sample.rss_bytes / 1e6:6.1f} MB")
    return samples


def growth(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Of each figure the median after the first tenth of the jobs, the median of the last tenth, and the most."""
    total = samples[-1].ended
    # Before the first tenth has ended, caches and pools still fill.
    early = [s for s in samples if 0.1 * total <= s.ended <= 0.2 * total] or list(samples[:1])
    late = [s for s in samples if s.ended >= 0.9 * total]
    return {
        name: {
            "early": _median(early, name),
            "late": _median(late, name),
            "most": float(max(getattr(s, name) for s in samples)),
        }
        for name, _, _ in _WATCHED
    }


def table(samples: Sequence[Sample]) -> Iterator[str]:
    """The lines of the report."""
    found = growth(samples)
    first, last = samples[0], samples[-1]
    took = last.at_s - first.at_s
    yield f"{last.ended} jobs in {took:.0f} s, {took / max(1, last.ended - first.ended) * 1000:.1f} ms each"
    yield f"{'':<22}{'after a tenth':>15}{'at the end':>13}{'most':>11}{'growth':>10}"
    for name, unit, divisor in _WATCHED:
        early, late, most = (found[name][key] / divisor for key in ("early", "late", "most"))
        digits = 1 if unit else 0
        yield (
            f"{name.removesuffix('_bytes') + (f' ({unit})' if unit else ''):<22}{early:>15.{digits}f}"
            f"{late:>13.{digits}f}{most:>11.{digits}f}{late - early:>+10.{digits}f}"
        )


def as_data(samples: Sequence[Sample]) -> dict[str, Any]:
    """The same for programs."""
    return {"growth": growth(samples), "samples": [asdict(sample) for sample in samples]}


def _sample(worker: Slot, database: Database, redis: Redis, at_s: float) -> Sample:
    memory: dict[str, Any] = redis.info("memory")
    clients: dict[str, Any] = redis.info("clients")
    with database.read() as connection:
        mine = text("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'inpaint-worker%'")
        connections = int(connection.execute(mine).scalar_one())
    rss, threads, files = _process_figures(worker.pid)
    keys = int(redis.dbsize())
    return Sample(
        at_s, _ended(database), rss, threads, files, connections, keys,
        int(clients["connected_clients"]), int(memory["used_memory"]),
    )  # fmt: skip


def _process_figures(pid: int | None) -> tuple[int, int, int]:
    """Resident bytes, threads and open files, from /proc."""
    home = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines())
    files = sum(1 for _ in (home / "fd").iterdir())
    return int(status.get("VmRSS", "0").split()[0]) * 1024, int(status["Threads"]), files


def _ended(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM job WHERE finished_at IS NOT NULL")).scalar_one())


def _median(samples: Sequence[Sample], name: str) -> float:
    values = sorted(getattr(sample, name) for sample in samples)
    return float(values[len(values) // 2])


def _tail(folder: Path) -> str:
    texts = [path.read_text(encoding="utf-8", errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
    return "\n".join(itertools.chain(["what the processes said last:"], texts))
