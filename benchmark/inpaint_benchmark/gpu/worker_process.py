"""A worker of the fleet that also runs its pipeline bare, before the first job and after the last.

Run as `child` is, with the settings of servers in its environment. SIGTERM ends it, as any worker.
"""

from __future__ import annotations

import sys
import time
import traceback
import warnings

from inpaint_core.errors import InpaintError
from inpaint_core.log import setup_logging
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_worker.arrays import Pixels
from inpaint_worker.device_thread import DeviceThread
from inpaint_worker.geometry.canvas import open_canvas
from inpaint_worker.pipelines import Edit, Pipeline, StepCallback, build_pipeline
from inpaint_worker.pipelines.base import Work, work_of
from inpaint_worker.serve import run_worker

from inpaint_benchmark.gpu.child import Request, Teller, die_with
from inpaint_benchmark.gpu.modes import Mode
from inpaint_benchmark.gpu.throughput import queue_jobs

#: A loop lasts about so long where nobody says how many images it has; and has so many at least and at most.
LOOP_S, FEWEST, MOST = 60.0, 4, 500


class BarePipeline:
    """The pipeline of a worker, which also runs a loop of edits once it is warm."""

    def __init__(self, pipeline: Pipeline, request: Request, settings: Settings, teller: Teller) -> None:
        self.card = pipeline.card
        #: Images of a loop, once the pipeline is warm.
        self.count = 0
        self._settings = settings
        self._pipeline = pipeline
        self._request = request
        self._teller = teller
        self._made = 0
        self._busy: list[tuple[float, float]] = []

    def load(self) -> None:
        """As the pipeline's."""
        self._teller.told("loading")
        self._pipeline.load()

    def described(self) -> dict[str, object]:
        """As the pipeline's."""
        return self._pipeline.described()

    def warm(self) -> None:
        """As the pipeline's, and then the loop; then as many jobs are queued."""
        self._pipeline.warm()
        self.loop(1)  # the shape that the jobs have may have to be compiled
        self.count = self._request.order.repeats or images_in_a_loop(self.loop(1))
        self._teller.found(loop_images=self.count, bare_s=self.loop(self.count), runtime=self._pipeline.described())
        self._teller.told("submitting")
        queue_jobs(self._request, self._settings, self.card, self.count)
        self._teller.told("jobs")

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """As the pipeline's; when the device was busy is noted."""
        began = time.perf_counter()
        try:
            return self._pipeline.run(edit, on_step)
        finally:
            self._busy.append((began, time.perf_counter()))

    @property
    def busy(self) -> float | None:
        """Share of the time between the ends of the first and the last job on the device that others took."""
        if len(self._busy) < 2:
            return None
        between = self._busy[-1][1] - self._busy[0][1]
        return sum(end - began for began, end in self._busy[1:]) / between

    @property
    def work(self) -> Work | None:
        """As the pipeline's."""
        return work_of(self._pipeline)

    def loop(self, count: int) -> float:
        """Seconds an image of so many edits, one after the other, that were all decoded and fitted before."""
        self._teller.told("the pipeline alone")
        from inpaint_benchmark.gpu.matmul import synchronise

        edits = [self._edit() for _ in range(count)]
        synchronise()
        began = time.perf_counter()
        for edit in edits:
            self._pipeline.run(edit, lambda _done, _total: None)
        synchronise()
        return (time.perf_counter() - began) / count

    def _edit(self) -> Edit:
        from inpaint_core.images import Limits

        from inpaint_benchmark.gpu.jobs import whole_picture

        order = self._request.order
        self._made += 1
        inputs = whole_picture(order.width, order.height, -self._made % 100_000)
        limits = Limits.of(self._request.settings())
        image, region = open_canvas(inputs.source, inputs.mask, inputs.edit, self.card.size, limits).show(0)
        parameters = self.card.resolve({} if order.steps is None else {"steps": order.steps})
        tier = Mode.parse(order.mode).tier
        return Edit(image, region, inputs.seed, inputs.prompt, parameters=parameters, tier=tier)


def images_in_a_loop(image_s: float) -> int:
    """As many as take a minute."""
    return min(MOST, max(FEWEST, round(LOOP_S / image_s)))


def main() -> int:
    """Serve until SIGTERM."""
    request = Request.model_validate_json(sys.argv[1])
    die_with(request.parent)
    teller = Teller()
    warnings.simplefilter("ignore")
    try:
        _serve(request, teller)
    except InpaintError as error:
        teller.failed(error.message)
        return 1
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the row's reason)
        traceback.print_exc()
        teller.failed(f"{type(error).__name__}: {' '.join(str(error).split())}"[:1000])
        return 1
    teller.ended()
    return 0


def _serve(request: Request, teller: Teller) -> None:
    settings = request.settings()
    setup_logging(settings)
    card = request.card(settings)
    if request.order.tiny:
        import torch

        torch.set_num_threads(1)
    pipeline = BarePipeline(build_pipeline(card, settings), request, settings, teller)
    parameters = card.resolve({} if request.order.steps is None else {"steps": request.order.steps})
    teller.found(parameters=parameters)
    device = DeviceThread()
    if status := run_worker(settings, card, pipeline, S3Store(settings), device):
        teller.failed(f"The worker ended with status {status}.")
        return
    teller.found(busy=pipeline.busy, unknown={"busy": "only one job was made"})
    # On the thread that made the jobs: what was compiled there is not compiled for another.
    teller.found(bare_after_s=device.call(lambda: pipeline.loop(pipeline.count)))


if __name__ == "__main__":
    sys.exit(main())
