"""The shapes that a model is shown: few, so that a compiled model does not compile anew for each photo."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from inpaint_core.edit import Detail
from inpaint_core.size import SizeRule

#: Sides are multiples of about this share of the model's native side: 64 of 1024, as SDXL was trained.
_STEPS_PER_SIDE = 16


@functools.lru_cache(maxsize=64)
def shapes(rule: SizeRule, detail: Detail) -> tuple[tuple[int, int], ...]:
    """Widths and heights, pixels, for a model with a native area: each a multiple, none above the limits.

    With `Detail.FULL` also those of the largest area. The same shapes come out for every photo.
    """
    assert rule.native_area is not None  # noqa: S101  (models without one are shown any size)
    areas = {rule.native_area}
    if detail is Detail.FULL and rule.max_area:
        areas.add(rule.max_area)
    found = {shape for area in areas for shape in _of_area(rule, area)}
    return tuple(sorted(found, key=lambda shape: (shape[0] * shape[1], shape)))


def _of_area(rule: SizeRule, area: int) -> Iterator[tuple[int, int]]:
    unit = rule.multiple_of
    step = unit * max(1, round(math.sqrt(area) / _STEPS_PER_SIDE / unit))
    longest = min(rule.max_side or area, math.floor(math.sqrt(area * rule.max_aspect)))
    square = max(unit, min(math.isqrt(area), longest) // unit * unit)
    yield square, square
    for width in range(step, longest + 1, step):
        height = min(area // width, longest) // step * step
        if height and max(width, height) <= rule.max_aspect * min(width, height):
            yield width, height
            yield height, width
