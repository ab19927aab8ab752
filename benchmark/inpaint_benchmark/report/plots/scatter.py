"""Points of models by what they cost and how good they are, with the front of those that none beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from inpaint_benchmark.report.elements import Markup, element
from inpaint_benchmark.report.plots.canvas import FONT, canvas, line, text
from inpaint_benchmark.report.plots.labels import Area, place_labels
from inpaint_benchmark.report.plots.scale import Scale, scale_for
from inpaint_benchmark.report.wording import significant

_WIDTH, _HEIGHT = 640.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 20.0, 16.0, 56.0
_RADIUS = 6.0


@dataclass(frozen=True, slots=True)
class Point:
    """A model: x in the unit of the axis across (less is better), y in that of the other (more is better)."""

    name: str
    x: float
    y: float
    on_front: bool
    #: Ends of the interval of y.
    low: float | None = None
    high: float | None = None


def scatter(points: Sequence[Point], across: str, up: str, title: str) -> Markup:
    """`across` and `up` are the labels of the axes with their units. At least one point."""
    ends = [end for p in points for end in (p.y, p.low, p.high) if end is not None]
    x = scale_for([p.x for p in points], _LEFT, _WIDTH - _RIGHT)
    y = scale_for(ends, _HEIGHT - _BOTTOM, _TOP)
    places = [(x.place(p.x), y.place(p.y)) for p in points]
    sheet = Area(_LEFT + 2, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)
    front = _front(points, x, y)
    lines = [
        Area(px - 2, y.place(p.high), px + 2, y.place(p.low))
        for p, (px, _) in zip(points, places, strict=True)
        if p.low is not None and p.high is not None
    ]
    labels = place_labels(places, [p.name for p in points], sheet, [*lines, *_along(front)])
    return canvas(
        _WIDTH,
        _HEIGHT,
        title,
        _axes(x, y, across, up),
        element("path", d=_path(front), class_="front") if len(front) > 1 else None,
        [
            line(px, y.place(p.low), px, y.place(p.high), "whisker")
            for p, (px, _) in zip(points, places, strict=True)
            if p.low is not None and p.high is not None
        ],
        [_leader(place, label) for place, label in zip(places, labels, strict=True)],
        [
            element(
                "circle",
                element("title", f"{p.name}: {significant(p.x)}, {significant(p.y)}"),
                cx=px, cy=py, r=_RADIUS, class_="own" if p.on_front else "own hollow",
            )
            for p, (px, py) in zip(points, places, strict=True)
        ],
        [text(p.name, label.left, label.bottom - FONT * 0.3) for p, label in zip(points, labels, strict=True)],
    )  # fmt: skip


def _axes(x: Scale, y: Scale, across: str, up: str) -> list[Markup]:
    floor = _HEIGHT - _BOTTOM
    parts = []
    for tick, mark in x.marks(6):
        place = x.place(tick)
        parts += [line(place, _TOP, place, floor, "grid"), text(mark, place, floor + 18, "quiet", "middle")]
    for tick, mark in y.marks(5):
        place = y.place(tick)
        parts += [line(_LEFT, place, _WIDTH - _RIGHT, place, "grid"), text(mark, _LEFT - 8, place + 4, "quiet", "end")]
    middle = (_TOP + floor) / 2
    return [
        *parts,
        line(_LEFT, floor, _WIDTH - _RIGHT, floor, "axis"),
        line(_LEFT, _TOP, _LEFT, floor, "axis"),
        text(across + (" (logarithmic)" if x.logarithmic else ""), (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12,
             anchor="middle"),
        text(up, 18, middle, anchor="middle", transform=f"rotate(-90 18 {middle:g})"),
    ]  # fmt: skip


def _front(points: Sequence[Point], x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Corners of the steps from the cheapest to the best."""
    best: list[Point] = []
    for point in sorted((p for p in points if p.on_front), key=lambda p: (p.x, -p.y)):
        if not best or point.y > best[-1].y:
            best.append(point)
    corners: list[tuple[float, float]] = []
    for point in best:
        if corners:
            corners.append((x.place(point.x), corners[-1][1]))
        corners.append((x.place(point.x), y.place(point.y)))
    return corners


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in corners)


def _along(corners: Sequence[tuple[float, float]]) -> list[Area]:
    """What the steps take of the sheet."""
    return [
        Area(min(a[0], b[0]) - 2, min(a[1], b[1]) - 2, max(a[0], b[0]) + 2, max(a[1], b[1]) + 2)
        for a, b in pairwise(corners)
    ]


def _leader(point: tuple[float, float], label: Area) -> Markup | None:
    """A line to a label that lies so far off that it could be another's."""
    x = min(max(point[0], label.left), label.right)
    y = min(max(point[1], label.top), label.bottom)
    if math.hypot(x - point[0], y - point[1]) < 2.2 * _RADIUS:
        return None
    return line(*point, x, y, "leader")
