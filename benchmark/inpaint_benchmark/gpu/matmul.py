"""What matrix multiplications reach on this device, in the process that measures: the yardstick of all else."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

#: On a GPU: large enough that starting each takes no share of it.
_N, _N_CPU = 8192, 512
_EACH = 10
#: So long it lasts: in the first tenth of a second a GPU clocks higher than it can keep up.
_SECONDS, _SECONDS_CPU = 2.0, 0.05


def matmul_rate(device: str) -> dict[str, Any]:
    """The fields of a `Rate`, median over two seconds. Random numbers: with zeros a GPU would clock higher."""
    n, lasts = (_N, _SECONDS) if device == "cuda" else (_N_CPU, _SECONDS_CPU)
    with torch.inference_mode():
        one, other = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            one @ other
        began = time.perf_counter()
        seconds = [_round(one, other)]
        while time.perf_counter() - began < lasts:
            seconds.append(_round(one, other))
    median = statistics.median(seconds)
    return {"tflop_per_s": 2 * n**3 * _EACH / median / 1e12, "n": n, "dtype": "bfloat16", "lasted_s": sum(seconds)}


def measured_rate(name: str, device: str) -> dict[str, Any]:
    """The rate as the field `name`, or why it has none: beside a model that fills the GPU there may be no room."""
    try:
        return {name: matmul_rate(device)}
    except RuntimeError as error:
        return {"unknown": {name: f"matrix multiplications failed: {' '.join(str(error).split())[:200]}"}}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # torch would call its matrices memory of the model


def _round(one: torch.Tensor, other: torch.Tensor) -> float:
    synchronise()
    began = time.perf_counter()
    for _ in range(_EACH):
        one @ other
    synchronise()
    return time.perf_counter() - began


def synchronise() -> None:
    """Wait until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
