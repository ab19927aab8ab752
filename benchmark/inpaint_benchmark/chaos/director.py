"""The director of a run: tends the processes, and brings each fault on when its time has come. All in one thread."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from inpaint_core.errors import InpaintError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from inpaint_benchmark.chaos import producer_process
from inpaint_benchmark.chaos.plan import Planned
from inpaint_benchmark.chaos.stage import Stage

_TICK_S = 0.05
_READY_S = 60
_SUBMIT_S = 60


class Director:
    """Plays one plan on one stage."""

    def __init__(self, stage: Stage, plan: Sequence[Planned], say: Callable[[str], None]) -> None:
        #: Faults that were not made because what they need was away.
        self.skipped: list[str] = []
        self._stage = stage
        self._plan = plan
        self._say = say

    def play(self, quiet_s: float) -> float:
        """Everything, until all jobs have ended or `quiet_s` after the last fault; the seconds it took."""
        self._wait(self._ready, _READY_S, "the workers to be ready")
        started = time.monotonic()
        self._stage.producer.start()
        self._break_things()
        self._wait(lambda: self._stage.producer.done, _SUBMIT_S, "the last submission")
        self._wait(lambda: not self._stage.unfinished(), quiet_s, "all jobs to end")
        return time.monotonic() - started

    def submit_again(self) -> dict[str, UUID]:
        """Submit everything once more; what each key was answered. A key that makes a new job is left out."""
        stage = self._stage
        accepted = stage.producer.accepted
        for key in stage.journal.orphaned_keys:
            # Its producer died before it could tell; the answer that counts is the database's.
            accepted[key] = next(iter(stage.jobs("SELECT id, attempt FROM job WHERE idempotency_key = :key", key=key)))
        orders = [order for order in stage.producer.orders if order.key in accepted]
        specs = [stage.producer.spec(order) for order in orders]
        keys = [order.key for order in orders]
        for key, model in stage.journal.orphaned_keys.items():
            specs += producer_process.specs(model, [key])
            keys.append(key)
        answers = stage.client.submit_many(specs)
        return {key: answer.id for key, answer in zip(keys, answers, strict=True) if not answer.created}

    def _break_things(self) -> None:
        numbers = itertools.count()
        start = time.monotonic()
        due: list[tuple[float, int, str, Iterator[float]]] = [
            (start + planned.at_s, next(numbers), planned.name, planned.fault(self._stage)) for planned in self._plan
        ]
        heapq.heapify(due)
        while due:
            self._stage.processes.tend()
            if due[0][0] > time.monotonic():
                time.sleep(_TICK_S)
                continue
            _, number, name, fault = heapq.heappop(due)
            try:
                pause = next(fault)
            except StopIteration:
                continue
            except (InpaintError, KombuError, RedisError) as error:
                self.skipped.append(f"{name}: {error}"[:200])
                continue
            heapq.heappush(due, (time.monotonic() + pause, number, name, fault))

    def _wait(self, until: Callable[[], bool], for_s: float, what: str) -> None:
        """Tend until it is so; a run that waits in vain goes on, and its checks tell what is amiss."""
        end = time.monotonic() + for_s
        while not until():
            self._stage.processes.tend()
            if time.monotonic() > end:
                self._say(f"Waited {for_s:g} s for {what}, in vain.")
                return
            time.sleep(4 * _TICK_S)

    def _ready(self) -> bool:
        ready = self._stage.jobs("SELECT id, pid AS attempt FROM worker WHERE state = 'ready'")
        return {slot.pid for slot in self._stage.processes.workers} <= set(ready.values())
