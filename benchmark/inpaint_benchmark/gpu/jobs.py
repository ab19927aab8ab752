"""One job as a worker does it, without queue and store: a photo and a mask as files in, the encoded result out."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from inpaint_core.card import PromptUse
from inpaint_core.edit import EditOptions
from inpaint_core.images import Limits
from inpaint_core.job import ParameterValue
from inpaint_core.settings import Settings
from inpaint_core.tiers import Tier
from inpaint_db.claims import Claimed
from inpaint_worker.arrays import Pixels
from inpaint_worker.attempt import Attempt
from inpaint_worker.geometry.canvas import open_canvas
from inpaint_worker.pipelines import Edit, Pipeline, StepCallback
from inpaint_worker.pipelines.base import Work, work_of
from inpaint_worker.resident import Resident
from PIL import Image

from inpaint_benchmark.gpu.matmul import synchronise
from inpaint_benchmark.queue.scene import mask, photo

#: Is told what is under way.
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a producer hands in, encoded; and what it wants."""

    source: bytes
    mask: bytes
    edit: EditOptions
    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Done:
    """One job that was timed."""

    #: On the device.
    inference_s: float
    #: Decoding, fitting, compositing, encoding and the check.
    beside_s: float
    #: Width and height of each window that was painted.
    painted: tuple[tuple[int, int], ...]
    result: bytes
    #: Of the networks' passes, in a tier that leaves some out.
    work: Work | None


class TimedPipeline:
    """The pipeline of a `Resident`, whose loading and warming are timed."""

    def __init__(self, pipeline: Pipeline, found: Callable[..., None], told: Told) -> None:
        """`found` is given `load_s`, then `warm_s`."""
        self.card = pipeline.card
        self._pipeline = pipeline
        self._found = found
        self._told = told
        self.warm_s = 0.0

    def load(self) -> None:
        """As the pipeline's."""
        self._told("loading")
        began = time.perf_counter()
        self._pipeline.load()
        synchronise()
        self._found(load_s=time.perf_counter() - began, runtime=self._pipeline.described())
        self._told("warming up")

    def warm(self) -> None:
        """As the pipeline's."""
        began = time.perf_counter()
        self._pipeline.warm()
        synchronise()
        self.warm_s = time.perf_counter() - began
        self._found(warm_s=self.warm_s)

    def described(self) -> dict[str, object]:
        """As the pipeline's."""
        return self._pipeline.described()

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """As the pipeline's."""
        return self._pipeline.run(edit, on_step)

    @property
    def work(self) -> Work | None:
        """As the pipeline's."""
        return work_of(self._pipeline)


@dataclass(frozen=True, slots=True)
class Bench:
    """Runs jobs as a worker does, one after the other: through the object and on the thread that hold its pipeline."""

    resident: Resident
    settings: Settings
    parameters: dict[str, ParameterValue]
    tier: Tier

    def run(self, inputs: Inputs, on_step: StepCallback = lambda _done, _total: None) -> Done:
        """The way of `inpaint_worker.task` through geometry and pipeline."""
        began = time.perf_counter()
        card = self.resident.pipeline.card
        attempt = Attempt(_claimed(card.name, inputs, self.parameters))
        canvas = open_canvas(inputs.source, inputs.mask, inputs.edit, card.size, Limits.of(self.settings))
        inference_s = 0.0
        for number in range(len(canvas.windows)):
            image, region = canvas.show(number)
            edit = Edit(
                image,
                region,
                inputs.seed,
                inputs.prompt if card.prompt is not PromptUse.IGNORED else "",
                parameters=self.parameters,
                tier=self.tier,
            )
            synchronise()
            started = time.perf_counter()
            painted = self.resident.run(attempt, edit, on_step)
            synchronise()
            inference_s += time.perf_counter() - started
            canvas.take(number, painted)
        result = canvas.result().encoded.data
        all_s = time.perf_counter() - began
        sizes = tuple(window.size for window in canvas.windows)
        return Done(inference_s, all_s - inference_s, sizes, result, work_of(self.resident.pipeline))


def _claimed(model: str, inputs: Inputs, parameters: dict[str, ParameterValue]) -> Claimed:
    """A job that no queue knows."""
    return Claimed(
        job_id=uuid4(),
        number=1,
        model=model,
        source_uri="",
        source_sha256=None,
        mask_uri=None,
        mask_sha256=None,
        prompt=inputs.prompt,
        negative_prompt="",
        seed=inputs.seed,
        parameters=dict(parameters),
        deadline=None,
        queue_wait_s=0.0,
        failures=0,
        max_attempts=1,
    )


def whole_picture(width: int, height: int, number: int) -> Inputs:
    """A photo of this size, whose sixteenth is repainted, shown whole.

    Each number is another photo, prompt and seed: pipelines remember prompts, and jobs bring new ones.
    """
    edit = EditOptions.model_validate({"fit": "whole"})
    return Inputs(png(photo(width, height, number)), png(mask(width, height)), edit, prompt_of(number), number)


def prompt_of(number: int) -> str:
    """About as long as those of people."""
    return f"a wooden chair with a woven seat in front of a white wall, soft daylight, photograph number {number}"


def png(image: Image.Image) -> bytes:
    """Encoded without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def spread(values: list[float]) -> dict[str, float]:
    """The fields of a `Spread`."""
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}
