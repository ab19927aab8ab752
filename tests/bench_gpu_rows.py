"""Rows of `inpaint bench gpu` as a GPU would leave them: orders, a machine, and what was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row, measured_of

FILL, SD2 = "flux-1-fill-dev", "stable-diffusion-2-inpainting"
MACHINE = Machine(
    device_kind="cuda",
    device_name="NVIDIA Test",
    device_memory_gb=100.0,
    driver="580.1",
    cuda="13.0",
    cudnn="91000",
    cpu="A CPU (4 cores)",
    python="3.12.1",
    operating_system="Linux",
    packages={"torch": "2.11.0", "diffusers": "0.42.1", "transformers": "5.23.0", "inpaint-fleet": "0.1.0"},
)
FOUND: dict[str, Any] = {
    "import_s": 3.0,
    "load_s": 4.0,
    "page_cache": 0.25,
    "weights_gb": 33.0,
    "warm_s": 20.0,
    "first_image_s": 28.0,
    "image_s": {"median": 9.0, "min": 8.9, "max": 9.4},
    "beside_s": {"median": 0.1, "min": 0.1, "max": 0.1},
    "step_ms": 175.0,
    "peak_allocated_gb": 34.5,
    "peak_reserved_gb": 36.0,
    "recompilations": 0,
    "passes": 50.0,
    "passes_computed": 20.5,
    "not_compiled": 0,
    "matmul": {"tflop_per_s": 1000.0, "n": 8192, "dtype": "bfloat16", "lasted_s": 2.0},
    "matmul_before": {"tflop_per_s": 1020.0, "n": 8192, "dtype": "bfloat16", "lasted_s": 2.0},
    "gpu_state": {
        "clock_mhz": 1710.0,
        "lowest_clock_mhz": 1600.0,
        "power_w": 640.0,
        "temperature_c": 61.0,
        "samples": 90,
    },
    "tflop": 4500.0,
    "tflop_of": {"transformer": 4500.0},
}


def an_order(**changes: Any) -> Order:
    """An order of one model, with some of it changed."""
    values = {"what": "seconds", "model": FILL, "mode": "auto", "width": 1024, "height": 1024, "repeats": 5}
    return Order.model_validate({**values, "tiny": False, "device": "cuda", "weights": "random", **changes})


def a_row(
    found: dict[str, Any] | None = None,
    *,
    failed: str | None = None,
    runtime: dict[str, Any] | None = None,
    limit_s: float | None = None,
    **changes: Any,
) -> Row:
    """A row of one machine; `changes` are the order's."""
    order = an_order(**changes)
    return Row(
        order=order,
        begun_at=datetime(2026, 11, 26, tzinfo=UTC),
        wall_s=100.0,
        failed=failed,
        ended_by_limit_s=limit_s,
        runtime=runtime or {},
        machine=MACHINE,
        parameters={"steps": 50},
        painted=[(1024, 1024)],
        measured=measured_of(order.what, FOUND if found is None else found, "it was not reached"),
    )
