"""The worker that is measured: the fleet's own, around a pipeline that does nothing or sleeps.

Run as a process of its own. At its end it prints what it timed as one line of JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.log import setup_logging
from inpaint_core.s3 import S3Store
from inpaint_core.settings import load_settings
from inpaint_core.storage import ObjectRef
from inpaint_worker.arrays import Pixels
from inpaint_worker.intake import Intake
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Edit, StepCallback
from inpaint_worker.serve import run_worker
from inpaint_worker.task import JobRunner

from inpaint_benchmark.queue.scene import bench_card

TIMED: dict[str, list[float]] = defaultdict(list)


class BenchPipeline:
    """Gives the picture back after `seconds`, in ten steps, and notes when the device was busy."""

    def __init__(self, card: ModelCard, seconds: float) -> None:
        self.card = card
        self._seconds = seconds
        self.busy: list[tuple[float, float]] = []

    def load(self) -> None:
        """Nothing to load."""

    def described(self) -> dict[str, object]:
        """Nothing that could change a picture."""
        return {}

    def warm(self) -> None:
        """Nothing to warm."""

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """Sleep like a GPU call: without the GIL."""
        started = time.monotonic()
        for step in range(10):
            if self._seconds:
                time.sleep(self._seconds / 10)
            on_step(step + 1, 10)
        self.busy.append((started, time.monotonic()))
        return edit.image


class FarStore(S3Store):
    """The object store with a network in between."""

    delay_s = 0.0

    def get(self, ref: ObjectRef, max_bytes: int) -> bytes:
        """As the store's, later."""
        time.sleep(self.delay_s)
        return super().get(ref, max_bytes)

    def put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        """As the store's, later."""
        time.sleep(self.delay_s)
        super().put(ref, data, content_type)


def _timed(owner: Any, method: str, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, method)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            TIMED[name].append(time.perf_counter() - started)

    setattr(owner, method, wrapper)


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["noop", "sleep"])
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--s3-delay", type=float, default=0.0)
    options = parser.parse_args()
    settings = load_settings()
    setup_logging(settings)
    for owner, method, name in (
        (Intake, "receive", "delivery"),
        (JobRunner, "_claim", "claim"),
        (Outcome, "succeeded", "finish"),
    ):
        _timed(owner, method, name)
    card = bench_card(options.kind)
    pipeline = BenchPipeline(card, options.seconds)
    store = FarStore(settings)
    store.delay_s = options.s3_delay
    status = run_worker(settings, card, pipeline, store)
    sys.stdout.write(json.dumps({"timed": TIMED, "busy": pipeline.busy}) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
