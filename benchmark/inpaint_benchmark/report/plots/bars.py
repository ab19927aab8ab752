"""Bars from zero: one for each model, with the published number under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_benchmark.report.elements import Markup, element
from inpaint_benchmark.report.plots.canvas import canvas, line, text, text_width
from inpaint_benchmark.report.plots.scale import Scale, scale_for
from inpaint_benchmark.report.wording import significant

_WIDTH = 640.0
_TOP, _BOTTOM, _SIDE = 8.0, 44.0, 24.0
_NAME, _BAR, _GAP = 18.0, 15.0, 10.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A number of ours or of others."""

    value: float
    published: bool = False
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class BarRow:
    """A model with its numbers; without one, why there is none."""

    name: str
    bars: Sequence[Bar]
    missing: str = ""


def bars(rows: Sequence[BarRow], unit: str, title: str) -> Markup:
    """`unit` is the label of the axis. Longer is more: of time and money, worse."""
    ends = [end for row in rows for bar in row.bars for end in (bar.value, bar.high) if end is not None]
    room = max((text_width(_said(bar)) for row in rows for bar in row.bars), default=0)
    scale = scale_for(ends or [1.0], _SIDE, _WIDTH - _SIDE - room - 12, from_zero=True)
    parts: list[Markup] = []
    top = _TOP
    for row in rows:
        name = [text(row.name, _SIDE, top + 13)]
        if not row.bars:
            name.append(text(f"– {row.missing}", _SIDE + text_width(row.name) + 8, top + 13, "quiet"))
        parts += name
        top += _NAME
        for bar in row.bars:
            parts += _bar(bar, scale, top)
            top += _BAR + 3
        top += _GAP
    return canvas(_WIDTH, top + _BOTTOM, title, _axis(scale, top, unit), parts)


def _bar(bar: Bar, scale: Scale, top: float) -> list[Markup]:
    end = scale.place(bar.value)
    drawn = element(
        "rect",
        x=scale.begin, y=top, width=max(end - scale.begin, 1.5), height=_BAR, rx=2.0,
        class_="theirs" if bar.published else "own",
    )  # fmt: skip
    parts, after = [drawn], end
    if bar.low is not None and bar.high is not None:
        low, after = scale.place(bar.low), scale.place(bar.high)
        middle = top + _BAR / 2
        parts += [
            line(low, middle, after, middle, "whisker"),
            line(low, middle - 4, low, middle + 4, "whisker"),
            line(after, middle - 4, after, middle + 4, "whisker"),
        ]
    return [*parts, text(_said(bar), max(end, after) + 7, top + 12, "quiet")]


def _said(bar: Bar) -> str:
    value = f"{bar.value:g}" if bar.published else significant(bar.value)
    return f"{value} {bar.note}".strip()


def _axis(scale: Scale, top: float, unit: str) -> list[Markup]:
    parts = []
    for tick, mark in scale.marks(6):
        place = scale.place(tick)
        parts += [line(place, _TOP, place, top, "grid"), text(mark, place, top + 16, "quiet", "middle")]
    return [*parts, line(scale.begin, top, scale.end, top, "axis"), text(unit, scale.begin, top + 36)]
