"""Loading, the first image, steady images, steps, memory: in the process that has the model in memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from inpaint_worker.pipelines.base import Work

from inpaint_benchmark.gpu.compiled import graphs, not_compiled
from inpaint_benchmark.gpu.gpu_state import watched
from inpaint_benchmark.gpu.jobs import Bench, TimedPipeline, Told, spread, whole_picture
from inpaint_benchmark.gpu.matmul import measured_rate, synchronise
from inpaint_benchmark.gpu.orders import Order, repeats_of

#: Gets what has been measured, as soon as it is known.
Found = Callable[..., None]
NO_GPU = "measured on a GPU only"
NOTHING_LEFT_OUT = "the tier exact leaves nothing out"


def measure_seconds(order: Order, bench: Bench, found: Found, told: Told) -> None:
    """The worker must be warm. `found` is given the fields of `Seconds`."""
    told("matrix multiplications")
    found(**measured_rate("matmul_before", order.device))
    warmed = bench.resident.pipeline
    warm_s = warmed.warm_s if isinstance(warmed, TimedPipeline) else 0.0
    told("the first image")
    first = bench.run(whole_picture(order.width, order.height, 0))
    found(first_image_s=warm_s + first.inference_s + first.beside_s, painted=first.painted)

    repeats = repeats_of(order)
    images = [whole_picture(order.width, order.height, number) for number in range(1, repeats + 1)]
    reset_peak()
    compiled = graphs()
    done = []
    with watched() as gpu:
        for number, inputs in enumerate(images, start=1):
            told(f"image {number} of {repeats}")
            done.append(bench.run(inputs))
    found(
        image_s=spread([one.inference_s for one in done]),
        beside_s=spread([one.beside_s for one in done]),
        recompilations=graphs() - compiled,
        not_compiled=not_compiled(),
        **peaks(),
    )
    found(**gpu.found)
    told("matrix multiplications")
    found(**measured_rate("matmul", order.device))
    found(**_passes([one.work for one in done if one.work is not None]))

    told("steps")
    found(**_steps(order, bench))


def _steps(order: Order, bench: Bench) -> dict[str, Any]:
    """Milliseconds of a step, median. In a run of its own: waiting for each step takes time itself."""
    moments: list[float] = []

    def step(_done: int, _total: int) -> None:
        synchronise()
        moments.append(time.perf_counter())

    bench.run(whole_picture(order.width, order.height, repeats_of(order) + 1), step)
    # The first call tells that it begins, the second ends the first step, with all that is done before it.
    between = [after - before for before, after in pairwise(moments[1:])]
    if not between:
        return {"unknown": {"step_ms": "a step is timed from the one before it, and there was only one"}}
    return {"step_ms": 1000 * statistics.median(between)}


def _passes(works: list[Work]) -> dict[str, Any]:
    if not works:
        return {"unknown": dict.fromkeys(("passes", "passes_computed"), NOTHING_LEFT_OUT)}
    return {
        "passes": statistics.mean(work.passes for work in works),
        "passes_computed": statistics.mean(work.computed for work in works),
    }


def reset_peak() -> None:
    """Count the peak of GPU memory anew."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, Any]:
    """The peaks since then, GB of 10^9 bytes."""
    if not torch.cuda.is_available():
        return {"unknown": {"peak_allocated_gb": NO_GPU, "peak_reserved_gb": NO_GPU}}
    return {
        "peak_allocated_gb": torch.cuda.max_memory_allocated() / 1e9,
        "peak_reserved_gb": torch.cuda.max_memory_reserved() / 1e9,
    }
