"""Faults of processes: workers, relays and producers that die, freeze, or are restarted one after the other.

A fault is a generator: it does something, yields the seconds until it wants to go on, and ends when all is as before.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import TypeAlias
from uuid import UUID

from inpaint_benchmark.chaos.processes import Slot
from inpaint_benchmark.chaos.producer_process import DIED_AS_PLANNED
from inpaint_benchmark.chaos.scene import MODELS
from inpaint_benchmark.chaos.stage import Stage

Fault: TypeAlias = Callable[[Stage], Iterator[float]]
#: How long the next worker may take to follow in a rolling restart.
_RESTART_S = 20
#: Producers that are sent out until one gets as far as it should.
_TRIES = 5
_numbers = itertools.count()


def kill_worker(stage: Stage) -> Iterator[float]:
    """Kill -9, in the middle of whatever it does."""
    yield from stage.until_busy()
    worker = stage.busy_worker()
    if worker is not None and worker.pid is not None:
        stage.journal.hit("worker killed (SIGKILL)", stage.running([worker.pid]))
        worker.send(SIGKILL)


def freeze_worker(stage: Stage) -> Iterator[float]:
    """SIGSTOP until its lease has run out and others have its job, then SIGCONT: what it does then must not count."""
    yield from stage.until_busy()
    worker = stage.busy_worker()
    if worker is None or worker.pid is None:
        return
    worker.send(SIGSTOP)
    # Asked after it stopped: these jobs it can no longer finish.
    stage.journal.hit("worker frozen past its lease", stage.running([worker.pid]))
    yield stage.settings.lease_s + stage.rng.uniform(1, 2)
    worker.send(SIGCONT)


def restart_all_workers(stage: Stage) -> Iterator[float]:
    """SIGTERM to each in turn, the next one when its successor is ready, as a deployment does."""
    for worker in stage.processes.workers:
        pid = worker.pid
        if pid is None or worker.frozen:
            continue
        stage.journal.hit("worker stopped (SIGTERM)", stage.running([pid]))
        worker.send(SIGTERM)
        until = time.monotonic() + _RESTART_S
        while time.monotonic() < until and (worker.pid in (pid, None) or not _is_ready(stage, worker)):
            yield 0.2


def kill_relays(stage: Stage) -> Iterator[float]:
    """All of them, for a while: nothing that needs a relay moves."""
    down_s = stage.rng.uniform(1, 3)
    injection = stage.journal.hit("all relays killed")
    for relay in stage.processes.relays:
        relay.send(SIGKILL)
        relay.rest(down_s)
    yield from stage.while_it_lasts(injection, lambda: stage.queued(sent=False), down_s)


def kill_producer(stage: Stage) -> Iterator[float]:
    """A producer that commits several jobs and dies before it sends their messages."""
    model = stage.rng.choice(MODELS)
    for _ in range(_TRIES):
        number = next(_numbers)
        keys = [f"orphan-{number}-{i}" for i in range(4)]
        process = subprocess.Popen(
            [sys.executable, "-m", "inpaint_benchmark.chaos.producer_process", model, *keys],
            env=stage.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            yield 0.05
        process.kill()
        # Another status: a server was away, and it never came to its commit.
        if process.wait() == DIED_AS_PLANNED:
            stage.journal.orphaned_keys |= dict.fromkeys(keys, model)
            stage.journal.hit("producer killed before sending", _jobs_of(stage, keys))
            return


def _is_ready(stage: Stage, worker: Slot) -> bool:
    found = stage.jobs("SELECT id, pid AS attempt FROM worker WHERE state = 'ready' AND stopped_at IS NULL")
    return worker.pid in found.values()


def _jobs_of(stage: Stage, keys: list[str]) -> dict[UUID, int]:
    return stage.jobs("SELECT id, attempt FROM job WHERE idempotency_key = ANY(:keys)", keys=keys)
