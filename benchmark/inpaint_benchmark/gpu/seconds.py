"""Loading, the first image, steady images, steps, memory: in the process that has the model in memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from inpaint_worker.pipelines.base import Work

from inpaint_benchmark.gpu.jobs import Bench, Told, spread, whole_picture
from inpaint_benchmark.gpu.matmul import matmul_rate, synchronise
from inpaint_benchmark.gpu.orders import Order

#: Gets what has been measured, as soon as it is known.
Found = Callable[..., None]
NO_GPU = "measured on a GPU only"
NOTHING_LEFT_OUT = "the tier exact leaves nothing out"


def measure_seconds(order: Order, bench: Bench, found: Found, told: Told) -> None:
    """The pipeline must be loaded. `found` is given the fields of `Seconds`."""
    told("warming up")
    began = time.perf_counter()
    bench.pipeline.warm()
    synchronise()
    warm_s = time.perf_counter() - began
    found(warm_s=warm_s)
    first = bench.run(whole_picture(order.width, order.height, 0))
    found(first_image_s=warm_s + first.inference_s + first.beside_s, painted=first.painted)

    images = [whole_picture(order.width, order.height, number) for number in range(1, order.repeats + 1)]
    reset_peak()
    compiled = graphs()
    done = []
    for number, inputs in enumerate(images, start=1):
        told(f"image {number} of {order.repeats}")
        done.append(bench.run(inputs))
    found(
        image_s=spread([one.inference_s for one in done]),
        beside_s=spread([one.beside_s for one in done]),
        recompilations=graphs() - compiled,
        **peaks(),
    )
    found(**_passes([one.work for one in done if one.work is not None]))

    told("steps")
    found(**_steps(order, bench))
    told("matrix multiplications")
    try:
        found(matmul=matmul_rate(order.device))
    except RuntimeError as error:  # beside a model that fills the GPU there may be no room for it
        found(unknown={"matmul": f"matrix multiplications failed: {' '.join(str(error).split())[:200]}"})


def _steps(order: Order, bench: Bench) -> dict[str, Any]:
    """Milliseconds of a step, median. In a run of its own: waiting for each step takes time itself."""
    moments: list[float] = []

    def step(_done: int, _total: int) -> None:
        synchronise()
        moments.append(time.perf_counter())

    bench.run(whole_picture(order.width, order.height, order.repeats + 1), step)
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


def graphs() -> int:
    """Graphs that torch has compiled in this process so far."""
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])
