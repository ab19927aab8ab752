"""Labels beside points, where they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inpaint_benchmark.report.plots.canvas import FONT, text_width

#: Half the side of what a point takes.
POINT = 7.0
_DISTANCES = (10.0, 20.0, 32.0, 46.0, 62.0, 80.0, 100.0)
#: Right, left, above, below, and between them.
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the sheet."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Area) -> bool:
        """Whether they have anything in common."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def within(self, other: Area) -> bool:
        """Whether it lies wholly in the other."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def place_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], sheet: Area, lines: Sequence[Area] = ()
) -> list[Area]:
    """Where each label lies: as near to its point as there is room beside labels, points and `lines`.

    With no room at all, labels do overlap.
    """
    taken = [*lines, *(Area(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in points)]
    # Those in the middle of a crowd have the fewest places left, and choose first.
    order = sorted(range(len(points)), key=lambda i: sum(_distance(points[i], other) for other in points))
    found: dict[int, Area] = {}
    for i in order:
        candidates = list(_around(points[i], texts[i]))
        inside = [area for area in candidates if area.within(sheet)]
        free = (area for area in inside if not any(area.overlaps(other) for other in taken))
        found[i] = next(free, (inside or candidates)[0])
        taken.append(found[i])
    return [found[i] for i in range(len(points))]


def _around(point: tuple[float, float], text: str) -> Iterator[Area]:
    x, y = point
    width, height = text_width(text), FONT * 1.25
    for distance in _DISTANCES:
        for across, down in _DIRECTIONS:
            left = {1: x + distance, -1: x - distance - width, 0: x - width / 2}[across]
            top = {1: y + distance, -1: y - distance - height, 0: y - height / 2}[down]
            yield Area(left, top, left + width, top + height)


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
