"""Peak memory of a job: what torch allocated on the GPU; on a CPU, the resident set by the kernel's own count."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_MACHINE = Path("/proc/meminfo")


def reset_peak() -> bool:
    """Start counting anew; False where the kernel does not offer it."""
    if (cuda := _cuda()) is not None:
        cuda.reset_peak_memory_stats()
        return True
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def kind() -> str:
    """What is counted: cuda_allocated, or process_rss."""
    return "process_rss" if _cuda() is None else "cuda_allocated"


def peak_bytes() -> int | None:
    """Most bytes in use since `reset_peak`. On a CPU, jobs in neighbouring threads count in."""
    if (cuda := _cuda()) is not None:
        return int(cuda.max_memory_allocated())
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def available_bytes() -> int | None:
    """Memory of this machine that programs could have; None where the kernel does not tell."""
    try:
        for line in _MACHINE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _cuda() -> Any:
    """torch.cuda, if this process uses it. OpenCV's workers never load torch."""
    torch: Any = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized() else None
