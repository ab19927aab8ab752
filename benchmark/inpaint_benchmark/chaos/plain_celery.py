"""The same jobs and the same faults at the same moments on plain Celery: acks_late, the same broker settings.

There is no Postgres behind it. What a task did is known only from what it noted itself, so the count is kind: a task
whose end was noted counts as done, whatever became of its message. Faults of Postgres and S3 have no counterpart here,
and there is no relay to kill.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any, Literal

from inpaint_core.ids import new_id
from inpaint_core.queues import connect_redis, queue_name
from inpaint_core.settings import Settings
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from inpaint_benchmark.chaos import faults, messages, outages
from inpaint_benchmark.chaos.faults import Fault
from inpaint_benchmark.chaos.orders import make_orders
from inpaint_benchmark.chaos.plain_worker import MODEL, TASK, make_plain
from inpaint_benchmark.chaos.plan import make_plan
from inpaint_benchmark.chaos.processes import Processes, Slot
from inpaint_benchmark.chaos.servers import Servers
from inpaint_benchmark.queue.scene import child_environment

Pool = Literal["threads", "prefork"]
#: Tasks that one fault delivers again, as `messages.deliver_again` does.
_AGAIN = 12
_FROZEN_S = 5.0
_REDIS_DOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class PlainResult:
    """What became of the tasks of one run."""

    pool: Pool
    visibility_s: float
    jobs: int
    #: Their end was noted at least once.
    done: int
    #: Their end was noted twice or more, although they were sent once.
    done_twice: int
    #: The same of those that were delivered again on purpose: nothing here refuses the second.
    again_twice: int
    #: Not done, but Redis still holds the message, as unacknowledged by a worker that is gone.
    held: int
    #: Not done, and nowhere in Redis: nobody will ever run them, and nobody knows.
    lost: int
    faults: int
    wall_s: float


def run_plain(
    settings: Settings,
    servers: Servers,
    *,
    seed: int,
    pool: Pool = "threads",
    visibility_s: float = 3600,
    jobs: int = 300,
    window_s: float = 60,
    quiet_s: float = 20,
) -> PlainResult:
    """One run over an empty Redis. Counts when all is done, or when nothing has ended for `quiet_s`."""
    with tempfile.TemporaryDirectory(prefix="inpaint-plain-", ignore_cleanup_errors=True) as folder:
        options = ("--pool", pool, "--visibility", str(visibility_s))
        command = ("inpaint_benchmark.chaos.plain_worker", folder, *options)
        workers = [Slot(f"worker-{n}", command, child_environment(settings), Path(folder)) for n in range(3)]
        run = _PlainRun(settings, servers, Processes(workers, []), make_plain(settings, pool, visibility_s), seed)
        started = time.monotonic()
        try:
            made = run.play(jobs, window_s)
            done = run.settle(Path(folder), jobs, quiet_s)
            left = run.sent.keys() - done.keys()
            text = _redis_text(settings)
        finally:
            run.processes.stop(grace_s=3)
            run.app.close()
    twice = {job for job, count in done.items() if count > 1}
    held = {job for job in left if job in text}
    return PlainResult(
        pool, visibility_s, jobs, len(done), len(twice - run.again), len(twice & run.again), len(held),
        len(left - held), made, time.monotonic() - started,
    )  # fmt: skip


def table(results: Sequence[PlainResult]) -> Iterator[str]:
    """The lines of the comparison."""
    heads = f"{'faults':>8}{'jobs':>6}{'done':>6}{'lost':>6}{'held':>6}{'twice':>7}{'again twice':>13}"
    yield f"{'plain Celery, acks_late':<30}{heads}"
    for r in results:
        name = f"{r.pool}, visibility {r.visibility_s:g} s"
        yield f"{name:<30}{r.faults:>8}{r.jobs:>6}{r.done:>6}{r.lost:>6}{r.held:>6}{r.done_twice:>7}{r.again_twice:>13}"
    yield "held: until the visibility timeout. twice: sent once, ran twice. again twice: delivered again on purpose."


def report(settings: Settings, servers: Servers, say: Callable[[str], None], *, seed: int = 1) -> list[PlainResult]:
    """Three ways to set it up, one after the other."""
    results = []
    variants: tuple[tuple[Pool, float], ...] = (("threads", 3600), ("prefork", 3600), ("threads", 10))
    for pool, visibility_s in variants:
        with connect_redis(settings) as redis:
            redis.flushall()
        results.append(run_plain(settings, servers, seed=seed, pool=pool, visibility_s=visibility_s))
    for line in table(results):
        say(line)
    return results


class _PlainRun:
    """One run in progress; everything in one thread."""

    def __init__(self, settings: Settings, servers: Servers, processes: Processes, app: Any, seed: int) -> None:
        self.processes = processes
        self.app = app
        #: Task -> its seconds.
        self.sent: dict[str, float] = {}
        #: Those that were delivered again on purpose.
        self.again: set[str] = set()
        self._settings = settings
        self._servers = servers
        self._seed = seed
        self._rng = random.Random(f"choices {seed}")

    def play(self, jobs: int, window_s: float) -> int:
        """Send the jobs and make the faults, each at its moment; how many faults were made."""
        orders = make_orders(self._seed, jobs, window_s)
        acts = [(order.at_s, self._submit(order.prompt)) for order in orders]
        planned = [each for each in make_plan(self._seed, window_s) if each.fault in self._faults()]
        acts += [(each.at_s, self._faults()[each.fault]) for each in planned]
        started = time.monotonic()
        for at_s, act in sorted(acts, key=lambda pair: pair[0]):
            self._tend_until(started + at_s)
            act()
        return len(planned)

    def settle(self, folder: Path, jobs: int, quiet_s: float) -> Counter[str]:
        """Wait while anything ends; how often the end of each task was noted."""
        done: Counter[str] = Counter()
        moved = time.monotonic()
        while len(done) < jobs and time.monotonic() - moved < quiet_s:
            self._tend_until(time.monotonic() + 0.5)
            if (now := _ends(folder)) != done:
                moved, done = time.monotonic(), now
        return done

    def _faults(self) -> dict[Fault, Callable[[], None]]:
        return {
            faults.kill_worker: lambda: self._rng.choice(self.processes.workers).send(SIGKILL),
            faults.freeze_worker: self._freeze,
            faults.restart_all_workers: self._restart,
            outages.redis_keeps_data: lambda: self._kill_redis(keep_data=True),
            outages.redis_loses_data: lambda: self._kill_redis(keep_data=False),
            outages.reset_redis_connections: self._reset,
            messages.deliver_again: self._deliver_again,
        }

    def _submit(self, prompt: str) -> Callable[[], None]:
        # Jobs that make trouble of their own would need a limit of attempts, which plain Celery does not have.
        what, _, amount = prompt.partition(" ")
        return lambda: self._send(str(new_id()), float(amount) if what == "work" else 0.2)

    def _send(self, job: str, seconds: float) -> None:
        """Send it, again and again until Redis takes it: the producer does what it can."""
        self.sent[job] = seconds
        for _ in itertools.count():
            try:
                self.app.send_task(TASK, [seconds], task_id=job, queue=queue_name(MODEL), retry=False)
                return
            except (KombuError, RedisError, OSError):
                self._tend_until(time.monotonic() + 0.1)

    def _freeze(self) -> None:
        worker = self._rng.choice(self.processes.workers)
        worker.send(SIGSTOP)
        self._tend_until(time.monotonic() + _FROZEN_S)
        worker.send(SIGCONT)

    def _restart(self) -> None:
        for worker in self.processes.workers:
            worker.send(SIGTERM)
            self._tend_until(time.monotonic() + 3)

    def _kill_redis(self, *, keep_data: bool) -> None:
        self._servers.end("redis", SIGKILL)
        if not keep_data:
            self._servers.wipe_redis()
        self._tend_until(time.monotonic() + _REDIS_DOWN_S)
        self._servers.start("redis")

    def _reset(self) -> None:
        with connect_redis(self._settings) as redis:
            redis.client_kill_filter(_type="normal", skipme=True)

    def _deliver_again(self) -> None:
        chosen = self._rng.sample(sorted(self.sent), min(_AGAIN, len(self.sent)))
        self.again.update(chosen)
        for job in chosen:
            self._send(job, self.sent[job])

    def _tend_until(self, moment: float) -> None:
        self.processes.tend()
        while time.monotonic() < moment:
            time.sleep(0.02)
            self.processes.tend()


def _ends(folder: Path) -> Counter[str]:
    lines = (line for path in folder.glob("plain-*.log") for line in path.read_text(encoding="utf-8").splitlines())
    return Counter(line.removeprefix("finished ") for line in lines if line.startswith("finished "))


def _redis_text(settings: Settings) -> str:
    """All that Redis holds, as text: lists and hashes."""
    found: list[Any] = []
    with connect_redis(settings) as redis:
        for key in redis.scan_iter("*"):
            kind = redis.type(key)
            if kind == b"list":
                found += redis.lrange(key.decode(), 0, -1)
            elif kind == b"hash":
                found += redis.hvals(key.decode())
    return " ".join(each.decode("utf-8", "replace") for each in found)
