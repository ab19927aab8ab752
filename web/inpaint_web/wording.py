"""How numbers and times read on pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime


def seconds(value: float | None) -> str:
    """0.004 s, 1.32 s, 84 s, 12 min."""
    if value is None:
        return "–"
    if value < 0.1:
        return f"{value:.3f} s"
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def usd(value: float | None) -> str:
    """US dollars with two digits that matter: one edit may cost $0.0000021."""
    if value is None:
        return "–"
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    return f"${value:.{max(2, 1 - math.floor(math.log10(value)))}f}"


def moment(value: datetime | None) -> str:
    """A time in UTC to the second."""
    return "–" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(value: datetime | None) -> str:
    """2026-11-26."""
    return "–" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def size(value: float | None) -> str:
    """Bytes in decimal units."""
    if value is None:
        return "–"
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit != "MB" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def phase(name: str) -> str:
    """`queue_wait_s` as a person says it."""
    return {"queue_wait_s": "waiting in the queue", "gpu_wait_s": "waiting for the device"}.get(
        name, name.removesuffix("_s").replace("_", " ")
    )


def tiered(name: str, tier: str | None) -> str:
    """A model or a run, and its tier where that is not exact: flux-1-fill-dev (fast)."""
    return name if tier in (None, "exact") else f"{name} ({tier})"


FILTERS: Mapping[str, Callable[..., str]] = {
    "seconds": seconds,
    "usd": usd,
    "moment": moment,
    "day": day,
    "size": size,
    "phase": phase,
    "tiered": tiered,
}
