"""The edit region against brute force: grown, filled and faded as the options say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from inpaint_core.edit import Box, EditOptions
from inpaint_core.errors import FullMask
from inpaint_worker.geometry.region import EditRegion, around, bounding_box, cut, make_region

Array = npt.NDArray[Any]
_marks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)).filter(
    lambda marked: bool(marked.any() and not marked.all())
)
_often = settings(max_examples=150, deadline=None)


def region_of(marked: Array, **edit: Any) -> EditRegion:
    """The edit region of what is marked."""
    return make_region(marked.astype(np.uint8) * 255, EditOptions(**edit))


def distances(to: Array) -> Array:
    """From each pixel to the nearest that is True, middle to middle; infinite if none is."""
    rows, columns = np.nonzero(to)
    every = np.indices(to.shape).reshape(2, -1, 1)
    if not len(rows):
        return np.full(to.shape, math.inf)
    return np.hypot(every[0] - rows, every[1] - columns).min(axis=1).reshape(to.shape)


def weights_of(region: EditRegion) -> Array:
    """The weights over the whole picture."""
    whole = np.zeros(region.marked.shape, np.uint16)
    assert region.weights is not None
    whole[cut(region.box)] = region.weights
    return whole


@given(marked=_marks)
@_often
def test_without_options_the_region_is_what_is_marked_and_its_box_is_the_smallest(marked: Array) -> None:
    region = region_of(marked)
    assert np.array_equal(region.marked, marked)
    assert region.pixels == marked.sum()
    assert region.weights is None
    rows, columns = np.nonzero(marked)
    assert region.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(marked=_marks, grow=st.sampled_from([0.5, 1, 1.41, 1.42, 2, 2.2, 2.3, 3.7, 5, 5.09, 5.1, 9.5]))
@_often
def test_growing_marks_all_within_a_distance(marked: Array, grow: float) -> None:
    wanted = distances(marked) <= grow
    if wanted.all():
        with pytest.raises(FullMask, match="it was grown by"):
            region_of(marked, grow=grow)
        return
    assert np.array_equal(region_of(marked, grow=grow).marked, wanted)


@pytest.mark.parametrize(("grow", "pixels"), [(0.99, 1), (1, 5), (1.4, 5), (1.5, 9), (2, 13), (5, 81), (10.0, 317)])
def test_a_pixel_grows_to_the_disc_that_is_known_from_gauss(grow: float, pixels: int) -> None:
    marked = np.zeros((41, 43), bool)
    marked[20, 21] = True
    assert region_of(marked, grow=grow).pixels == pixels


def test_a_corner_grows_along_the_border_and_not_around_it() -> None:
    marked = np.zeros((9, 300), bool)
    marked[0, 0] = True
    grown = region_of(marked, grow=4).marked
    assert grown[:5, :5].sum() == grown.sum() == 17


@given(marked=_marks, feather=st.sampled_from([0.25, 1, 2, 2.5, 4, 12]))
@_often
def test_content_fades_in_from_the_nearest_pixel_that_is_preserved(marked: Array, feather: float) -> None:
    weights = weights_of(region_of(marked, feather=feather))
    deep = distances(~marked)
    # A region that is not so deep fades in over all of it, and is new in its middle.
    wanted = np.minimum(deep / (min(feather, deep.max() - 1) + 1), 1) * 65_535
    assert np.abs(weights - np.where(marked, wanted, 0)).max() < 1
    assert not weights[~marked].any()
    assert weights[marked].all()


@pytest.mark.parametrize("feather", [1e-6, 0.5, 1023.9, 1024])
def test_the_weakest_fade_still_paints_and_nothing_outside_is_touched(feather: float) -> None:
    marked = np.zeros((40, 1500), bool)
    marked[:, 3:1400] = True
    marked[20, 700] = False
    weights = weights_of(region_of(marked, feather=feather))
    assert weights[marked].min() >= math.floor(65_535 / (feather + 1))
    assert not weights[~marked].any()


def test_a_feather_that_is_too_wide_for_the_region_is_shortened_to_its_depth() -> None:
    marked = np.zeros((40, 60), bool)
    marked[10:19, 10:50] = True  # nine rows: the middle one is five pixels from what is preserved
    region = region_of(marked, feather=200)
    assert region.feather == 4
    assert weights_of(region)[14, 30] == 65_535 and weights_of(region)[10, 30] == round(65_535 / 5)


def test_the_border_of_the_picture_is_not_faded() -> None:
    marked = np.zeros((30, 60), bool)
    marked[:, :40] = True
    weights = weights_of(region_of(marked, feather=9))
    assert (weights[:, :31] == 65_535).all()
    assert (weights[:, 39] == round(65_535 / 10)).all()
    assert (np.diff(weights[0, 30:].astype(int)) < 0).sum() == 10


def test_feathering_leaves_the_region_as_large_as_it_was() -> None:
    marked = np.zeros((20, 20), bool)
    marked[5:9, 5:9] = True
    assert np.array_equal(region_of(marked, feather=3, grow=2).marked, region_of(marked, grow=2).marked)


def reachable(free: Array) -> Array:
    """What can be left towards the border of the picture, over sides of pixels, not over corners."""
    found = np.zeros_like(free)
    border = np.ones_like(free)
    border[1:-1, 1:-1] = False
    todo = list(zip(*np.nonzero(free & border), strict=True))
    while todo:
        row, column = todo.pop()
        if (
            not (0 <= row < free.shape[0] and 0 <= column < free.shape[1])
            or found[row, column]
            or not free[row, column]
        ):
            continue
        found[row, column] = True
        todo += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    return found


@given(marked=_marks)
@_often
def test_a_hole_is_what_cannot_be_left(marked: Array) -> None:
    wanted = ~reachable(~marked)
    assume(not wanted.all())
    assert np.array_equal(region_of(marked, fill_holes=True).marked, wanted)


def test_a_diagonal_line_encloses() -> None:
    diamond = np.abs(np.arange(7) - 3)[:, None] + np.abs(np.arange(9) - 4) == 2
    assert region_of(diamond, fill_holes=True).pixels == 13
    assert region_of(diamond).pixels == 8


def test_what_is_open_to_the_border_of_the_picture_is_no_hole() -> None:
    marked = np.zeros((9, 9), bool)
    marked[2:7, 2:7] = True
    marked[3:6, 3:6] = False
    marked[4, 6] = False
    assert np.array_equal(region_of(marked, fill_holes=True).marked, marked)
    cut_off = np.zeros((9, 9), bool)
    cut_off[:, 4] = True
    assert np.array_equal(region_of(cut_off, fill_holes=True).marked, cut_off)


def test_holes_are_filled_before_the_region_grows() -> None:
    marked = np.zeros((30, 30), bool)
    marked[5:25, 5:25] = True
    marked[10:20, 10:20] = False
    region = region_of(marked, fill_holes=True, grow=1)
    assert region.marked[5:25, 5:25].all()
    assert region.pixels == 22 * 22 - 4


@pytest.mark.parametrize("edit", [{"grow": 3}, {"grow": 1024}, {"grow": 1024, "feather": 8}])
def test_nothing_left_after_growing_is_refused(edit: dict[str, float]) -> None:
    marked = np.ones((8, 8), bool)
    marked[0, 0] = False
    with pytest.raises(FullMask, match=rf"grown by {edit['grow']} pixels"):
        region_of(marked, **edit)


def test_a_mask_that_encloses_everything_leaves_nothing_once_it_is_filled() -> None:
    marked = np.ones((8, 8), bool)
    marked[2:5, 2:5] = False
    with pytest.raises(FullMask):
        region_of(marked, fill_holes=True)


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (2, 3999), (1, 2)])
def test_pictures_may_be_lines(shape: tuple[int, int]) -> None:
    marked = np.zeros(shape, bool)
    marked[0, 0] = True
    region = region_of(marked, grow=0.5, feather=2, fill_holes=True)
    assert region.box == (0, 0, 1, 1)
    assert weights_of(region)[0, 0] == 65_535 and region.feather == 0


@given(marked=_marks, margin=st.floats(0, 20))
@_often
def test_a_box_with_a_margin_ends_at_the_picture(marked: Array, margin: float) -> None:
    box, wider = bounding_box(marked), around(bounding_box(marked), margin, marked)
    assert wider & box == box
    assert wider & Box(0, 0, marked.shape[1], marked.shape[0]) == wider
    assert wider.left == max(0, box.left - math.ceil(margin))
    assert wider.bottom == min(marked.shape[0], box.bottom + math.ceil(margin))
