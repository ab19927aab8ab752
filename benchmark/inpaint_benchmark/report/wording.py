"""How numbers read in a report."""

from __future__ import annotations

import math

from inpaint_benchmark.published.tables import MOST_STARS
from inpaint_benchmark.report.contents import Automatic, Cell, Evaluation
from inpaint_benchmark.report.criteria import in_words
from inpaint_benchmark.report.ratings import Stars
from inpaint_benchmark.report.statistics import Estimate

NONE = "–"


def name(model: str, tier: str | None) -> str:
    """A model, and its tier where that is not exact: flux-1-fill-dev (fast)."""
    return model if tier in (None, "exact") else f"{model} ({tier})"


def significant(value: float, digits: int = 3) -> str:
    """So many digits that matter, without an exponent: 26.5, 0.222, 0.0000021, 1,240."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, places)}f}"


def interval(text: str, low: str | None, high: str | None) -> str:
    """The value with its interval behind it, where it has one that differs: 26.5 (25.1–27.9)."""
    if low is None or high is None or low == high == text:
        return text
    return f"{text} ({low}–{high})"


def metric(automatic: Automatic) -> str:
    """Such as auto SSIM 0.83 (0.79–0.87), or why there is no number."""
    found = automatic.estimate
    if found is None:
        return f"{NONE} ({in_words(automatic.reason or 'not_measured')})"
    low, high = (None if end is None else f"{end:.{automatic.digits}f}" for end in (found.low, found.high))
    return f"auto {automatic.label} {interval(f'{found.value:.{automatic.digits}f}', low, high)}"


def stars(given: Stars) -> str:
    """⭐⭐⭐☆, and the mean behind them where it is no whole number, with the interval and what it lacks."""
    whole = min(MOST_STARS, max(0, math.floor(given.mean + 0.5)))
    drawn = "⭐" * whole + "☆" * (MOST_STARS - whole)
    ends = [] if given.low is None or given.high is None else [f"{given.low:.1f}–{given.high:.1f}"]
    if given.mean == whole and not (ends or given.notes):
        return drawn
    beside = ", ".join([*ends, *given.notes])
    return f"{drawn} {given.mean:.1f}" + (f" ({beside})" if beside else "")


def lines(cell: Cell) -> list[str]:
    """What stands in a cell: stars where there are some, else the automatic metrics, or one reason for all."""
    if cell.stars is not None:
        return [stars(cell.stars)]
    texts = [metric(automatic) for automatic in cell.automatic]
    return list(dict.fromkeys(texts)) or [NONE]


def memory(row: Evaluation) -> str:
    """38, or why it is not known."""
    if row.memory_gb is None:
        return f"{NONE} ({row.memory_reason})"
    return f"{row.memory_gb:g}" if row.origin == "published" else significant(row.memory_gb, 2)


def seconds(row: Evaluation) -> str:
    """Seconds of an image, with the interval."""
    return _figure(row.seconds, row.seconds_reason, 3)


def cost(row: Evaluation) -> str:
    """US dollars for 1,000 images, with the interval."""
    return _figure(row.cost_per_1k_usd, row.cost_reason, 2)


def _figure(found: Estimate | None, reason: str | None, digits: int) -> str:
    if found is None:
        return f"{NONE} ({reason})"
    if not found.trials:  # as it was published
        return f"{found.value:g}"
    low, high = (None if end is None else significant(end, digits) for end in (found.low, found.high))
    return interval(significant(found.value, digits), low, high)


def pixels(value: float | None) -> str:
    """1024², or 0.27 MP where it is no square of a usual size."""
    if value is None:
        return NONE
    side = math.isqrt(round(value))
    if side * side == round(value) and side >= 64:
        return f"{side}²"
    return f"{significant(value / 1e6, 2)} MP"


def count(row: Evaluation) -> str:
    """30 of 30."""
    if row.trials is None:
        return NONE
    return f"{row.succeeded} of {row.trials}" + (f" ({row.failed} failed)" if row.failed else "")


def whole(value: int | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{value:,}"
