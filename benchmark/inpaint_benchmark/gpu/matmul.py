"""What matrix multiplications reach on this device, in the process that measures: the yardstick of all else."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

#: On a GPU: large enough that starting each takes no share of it.
_N, _N_CPU = 8192, 512
_ROUNDS, _EACH = 5, 10


def matmul_rate(device: str) -> dict[str, Any]:
    """The fields of a `Rate`, median of five rounds. Random numbers: with zeros a GPU would clock higher."""
    n = _N if device == "cuda" else _N_CPU
    with torch.inference_mode():
        one, other = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            one @ other
        seconds = [_round(one, other) for _ in range(_ROUNDS)]
    return {"tflop_per_s": 2 * n**3 * _EACH / statistics.median(seconds) / 1e12, "n": n, "dtype": "bfloat16"}


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
