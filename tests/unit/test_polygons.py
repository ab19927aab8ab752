"""Polygons against a sampler of the middles of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_core.edit import MaskShapes
from inpaint_core.errors import EmptyMask
from inpaint_core.masks import shapes_mask
from inpaint_core.polygons import filled

_WIDTH, _HEIGHT = 23, 17
_coordinate = st.one_of(st.integers(-9, 30), st.floats(-9, 30).map(lambda value: round(value, 3)))
_points = st.lists(st.tuples(_coordinate, _coordinate), min_size=3, max_size=7)


def sampled(points: list[tuple[float, float]]) -> np.ndarray:
    """Whether a ray from the middle of each pixel to the left crosses the outline an odd number of times."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH] + 0.5
    inside = np.zeros((_HEIGHT, _WIDTH), bool)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 == y1:
            continue
        crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
        inside ^= crosses & (at <= x)
    return inside


@given(points=_points)
@settings(max_examples=400, deadline=None)
def test_a_pixel_is_marked_if_its_middle_lies_inside(points: list[tuple[float, float]]) -> None:
    found = np.asarray(filled([points], (_WIDTH, _HEIGHT))) > 0
    # Middles that lie on the outline may be taken for either side, by a rounding.
    assert np.count_nonzero(found != sampled(points)) <= np.count_nonzero(near(points))
    assert not (found != sampled(points))[~near(points)].any()


def near(points: list[tuple[float, float]]) -> np.ndarray:
    """Pixels whose middle is within a billionth of where the outline crosses its row."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH] + 0.5
    found = np.zeros((_HEIGHT, _WIDTH), bool)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 != y1:
            found |= np.abs(x0 + (y - y0) * (x1 - x0) / (y1 - y0) - x) < 1e-9
    return found


def test_a_polygon_with_the_corners_of_a_box_is_that_box() -> None:
    box = shapes_mask(MaskShapes(boxes=((10, 20, 30, 50),)), (60, 70))
    corners = ((10, 20), (30, 20), (30, 50), (10, 50))
    polygon = shapes_mask(MaskShapes(polygons=(corners,)), (60, 70))
    assert box.tobytes() == polygon.tobytes()


def test_a_polygon_between_the_middles_of_pixels_marks_nothing_and_says_so() -> None:
    with pytest.raises(EmptyMask, match="mark no pixel"):
        shapes_mask(MaskShapes(polygons=(((1.6, 1.6), (1.9, 1.6), (1.7, 1.9)),)), (8, 8))


def test_many_polygons_on_a_large_picture_take_no_longer_than_they_must() -> None:
    large = MaskShapes(polygons=[[(-1e5, -1e5), (1e5, -1e5), (0, 3000)]] * 256)
    assert shapes_mask(large, (4001, 6000)).getpixel((2000, 10)) == 255  # seconds: a generous limit guards it
