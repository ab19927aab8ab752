"""Peak memory of a job on a CPU: the process' resident set, by the kernel's own count."""

from __future__ import annotations

from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
KIND = "process_rss"


def reset_peak() -> bool:
    """Start counting anew; False where the kernel does not offer it."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Most bytes resident since `reset_peak`; jobs in neighbouring threads count in."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
