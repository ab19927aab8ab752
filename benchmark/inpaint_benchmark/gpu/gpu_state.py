"""What the GPU does while it works: its clock, power and temperature, as `nvidia-smi` tells them."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

import torch

_ASK = ("nvidia-smi", "--query-gpu=clocks.sm,power.draw,temperature.gpu", "--format=csv,noheader,nounits")
_EVERY_MS = 500


class GpuState:
    """What was told between the beginning and the end of `watched`."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {"unknown": {"gpu_state": "measured on a GPU only"}}


@contextlib.contextmanager
def watched(gpu: str | None = None) -> Iterator[GpuState]:
    """Ask twice a second while the block runs; afterwards `found` has the field `gpu_state`, or why it has not.

    Args:
        gpu: its UUID or number for nvidia-smi. None: the GPU of this process; without one nothing is asked.
    """
    state = GpuState()
    gpu = gpu or _own()
    if gpu is None:
        yield state
        return
    with tempfile.TemporaryFile("w+") as told:
        try:
            process = subprocess.Popen(
                [*_ASK, f"--id={gpu}", f"--loop-ms={_EVERY_MS}"], stdout=told, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            state.found = {"unknown": {"gpu_state": f"nvidia-smi cannot be run: {error.strerror}"}}
            yield state
            return
        try:
            yield state
        finally:
            process.kill()
            process.wait()
        told.seek(0)
        state.found = _read(told.read())


def _own() -> str | None:
    if not torch.cuda.is_available():
        return None
    uuid = getattr(torch.cuda.get_device_properties(0), "uuid", None)
    return str(torch.cuda.current_device()) if uuid is None else f"GPU-{uuid}"


def _read(text: str) -> dict[str, Any]:
    rows = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # cut off, or not supported by the GPU
            clock, power, temperature = map(float, line.split(","))
            rows.append((clock, power, temperature))
    if not rows:
        return {"unknown": {"gpu_state": "nvidia-smi told nothing while the steady images were made"}}
    clocks, powers, temperatures = zip(*rows, strict=True)
    return {
        "gpu_state": {
            "clock_mhz": statistics.median(clocks),
            "lowest_clock_mhz": min(clocks),
            "power_w": statistics.median(powers),
            "temperature_c": max(temperatures),
            "samples": len(rows),
        }
    }
