"""Cells of Markdown tables: numbers with the digits that count, text of any origin, and the table itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inpaint_benchmark.gpu.rows import GpuState, Rate, Row, Seconds, Spread

#: What Markdown would take as its own, in text that others wrote.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")
NONE = "–"


def escape(text: str) -> str:
    """Text of any origin as a cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """A name, as it is typed."""
    return f"`{text.replace('`', '')}`"


def naming(row: Row) -> list[str]:
    """Model, mode and steps."""
    steps = row.parameters.get("steps")
    return [code(row.order.model), code(row.order.mode), NONE if steps is None else str(steps)]


def painted(windows: Sequence[tuple[int, int]]) -> str:
    """Shapes that were painted: 2 x 1024x1024."""
    sizes = [f"{width}x{height}" for width, height in windows]
    return ", ".join(
        f"{sizes.count(size)} × {size}" if sizes.count(size) > 1 else size for size in dict.fromkeys(sizes)
    )


def load(measured: Seconds) -> str:
    """Seconds of loading, and how much of the weights the system held in memory."""
    if measured.load_s is None:
        return NONE
    cached = "" if measured.page_cache is None else f" ({measured.page_cache:.0%})"
    return f"{number(measured.load_s)}{cached}"


def gpu(state: GpuState | None) -> str:
    """Clock (lowest), power, temperature."""
    if state is None:
        return NONE
    clocks = f"{state.clock_mhz:.0f} ({state.lowest_clock_mhz:.0f}) MHz"
    return f"{clocks}, {state.power_w:.0f} W, {state.temperature_c:.0f} °C"


def tflop_per_s(rate: Rate | None) -> str:
    """Of matrix multiplications."""
    return NONE if rate is None else number(rate.tflop_per_s)


def spread(value: Spread | None) -> str:
    """Median, minimum and maximum."""
    if value is None:
        return NONE
    return f"**{number(value.median)}** ({number(value.min)} to {number(value.max)})"


def median(value: Spread | None) -> str:
    """The median alone."""
    return NONE if value is None else number(value.median)


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return NONE
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
