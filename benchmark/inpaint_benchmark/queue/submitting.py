"""Submitting: the client against the least that could be done by hand, a plain INSERT and a plain send_task."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from inpaint_core.ids import new_id
from inpaint_core.job import TASK_NAME
from inpaint_core.queues import make_celery, queue_name
from inpaint_core.settings import Settings
from inpaint_db.jobs import Job
from inpaint_producer import InpaintClient, JobSpec
from sqlalchemy import insert

from inpaint_benchmark.queue.scene import bench_catalogue, mask, photo

MODEL = "bench-noop"


@dataclass(frozen=True, slots=True)
class SubmitFigures:
    """Seconds; medians over the rounds."""

    jobs: int
    by_hand_s: float
    many_s: float
    single_s: float
    pair_s: float

    @property
    def many_is_faster(self) -> float:
        """How many times faster `submit_many` is than by hand."""
        return self.by_hand_s / self.many_s

    @property
    def single_costs(self) -> float:
        """What one `submit` costs, in pairs of INSERT and send_task."""
        return self.single_s / self.pair_s


def measure_submitting(settings: Settings, *, jobs: int = 1000, rounds: int = 3, singles: int = 300) -> SubmitFigures:
    """Alternate the ways, so that whatever else the machine does meets all of them."""
    with InpaintClient(settings, catalogue=bench_catalogue()) as client:
        uris = _store_images(client, 10)
        specs = [JobSpec(*uris[number % len(uris)], MODEL) for number in range(jobs)]
        by_hand = _by_hand(settings, client, uris)
        by_hand(20)  # connections
        hand, many, single, pair = [], [], [], []
        for _ in range(rounds):
            hand.append(_seconds(lambda: by_hand(jobs)))
            many.append(_seconds(lambda: list(client.submit_many(specs))))
        for number in range(singles):
            source, marked = uris[number % len(uris)]
            pair.append(_seconds(lambda: by_hand(1)))
            single.append(_seconds(functools.partial(client.submit, source, marked, model=MODEL)))
    median = statistics.median
    return SubmitFigures(jobs, median(hand), median(many), median(single), median(pair))


def _store_images(client: InpaintClient, count: int) -> list[tuple[str, str]]:
    """Upload pictures by submitting one job each; their addresses."""
    views = [client.get(client.submit(photo(256, 256, n), mask(256, 256), model=MODEL).id) for n in range(count)]
    return [(str(view.source_uri), str(view.mask_uri)) for view in views]


def _by_hand(settings: Settings, client: InpaintClient, uris: list[tuple[str, str]]) -> Callable[[int], None]:
    app = make_celery(settings, [MODEL])
    engine = client.database.engine

    def run(count: int) -> None:
        for number in range(count):
            job_id = new_id()
            source, marked = uris[number % len(uris)]
            row = {"id": job_id, "model": MODEL, "source_uri": source, "mask_uri": marked, "seed": 1}
            with engine.begin() as connection:
                connection.execute(insert(Job).values(**row, request_hash="", max_attempts=3))
            app.send_task(
                TASK_NAME,
                kwargs={"version": 1},
                task_id=str(job_id),
                queue=queue_name(MODEL),
                ignore_result=True,
            )

    return run


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
