"""The resident pipeline and the turns at it: one job uses the device at a time, the others prepare and store."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from inpaint_core.errors import WorkerMustExit
from inpaint_core.log import get_logger

from inpaint_worker import memory
from inpaint_worker.arrays import Pixels
from inpaint_worker.attempt import Attempt
from inpaint_worker.device_thread import DeviceThread
from inpaint_worker.pipelines import Edit, Pipeline, StepCallback
from inpaint_worker.pipelines.base import work_of

#: How often a job that waits for its turn looks whether it should rather stop.
_LOOK_S = 0.2
log = get_logger("inpaint.worker")


class Resident:
    """One pipeline, loaded once and run by one thread, for one job at a time."""

    def __init__(self, pipeline: Pipeline, device: DeviceThread | None = None) -> None:
        """`device`: the thread that the pipeline lives on; None: one of its own."""
        self.pipeline = pipeline
        self.device = device or DeviceThread()
        self._turn = threading.Lock()
        #: What no job has done yet on it: the first run, and the first with each kind of guide, whose weights it reads.
        self._fresh = {"plain", "reference", "control"}

    def load(self) -> None:
        """Load and warm the pipeline. A signal ends the wait for it, and not the loading (`device.busy`)."""
        self.device.call(self._load)

    def _load(self) -> None:
        started = time.monotonic()
        self.pipeline.load()
        loaded = time.monotonic()
        self.pipeline.warm()
        log.info("pipeline_ready", load_s=round(loaded - started, 3), warm_s=round(time.monotonic() - loaded, 3))

    def run(self, attempt: Attempt, edit: Edit, on_step: StepCallback | None = None) -> Pixels:
        """Wait for the device, then run the pipeline; both are timed, and both heed a wish to stop."""
        with attempt.phase("gpu_wait"):
            self._wait(attempt)
        broken = False
        try:
            uses = _uses(edit)
            # Never back to False: an attempt may have several turns.
            attempt.report.first_after_load |= bool(uses & self._fresh)
            self._fresh.discard("plain")
            with attempt.phase("inference"), self._on_device(attempt):
                painted = self.device.call(lambda: self.pipeline.run(edit, on_step or attempt.step))
            if (work := work_of(self.pipeline)) is not None:
                attempt.note_work(work.described())
            self._fresh -= uses
            return painted
        except WorkerMustExit:
            broken = True
            raise
        finally:
            # Nobody may use a broken device: who waits for it is handed back when the process leaves.
            if not broken:
                self._turn.release()

    def _wait(self, attempt: Attempt) -> None:
        while not self._turn.acquire(timeout=_LOOK_S):
            attempt.check()
        try:
            attempt.check()
        except BaseException:
            self._turn.release()
            raise

    @contextlib.contextmanager
    def _on_device(self, attempt: Attempt) -> Iterator[None]:
        counted = memory.reset_peak()
        try:
            yield
        finally:
            if counted and (peak := memory.peak_bytes()):
                attempt.report.peak_memory_bytes = max(peak, attempt.report.peak_memory_bytes or 0)
                attempt.report.peak_memory_kind = memory.kind()


def _uses(edit: Edit) -> set[str]:
    guides = {"reference": edit.reference, "control": edit.control}
    return {"plain", *(name for name, guide in guides.items() if guide is not None)}
