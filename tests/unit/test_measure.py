"""Measures of pictures that were made so that the answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_core.edit import Box, EditOptions
from inpaint_worker.geometry.fit import Window
from inpaint_worker.geometry.measure import RawDifference, measure_fitting
from inpaint_worker.geometry.region import EditRegion, make_region

Array = npt.NDArray[Any]
_SIZE = (60, 80)


def region(box: tuple[int, int, int, int] = (20, 20, 50, 40), size: tuple[int, int] = _SIZE) -> EditRegion:
    """What may change: a box."""
    mask = np.zeros(size, np.uint8)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 255
    return make_region(mask, EditOptions())


def flat(level: int, size: tuple[int, int] = _SIZE) -> Array:
    """A picture of one grey."""
    return np.full((*size, 3), level, np.uint8)


def painted(level: int, where: EditRegion, on: int = 100) -> Array:
    """A grey picture whose region has another grey."""
    result = flat(on, where.marked.shape)
    result[where.marked] = level
    return result


def test_nothing_done_measures_as_nothing() -> None:
    found = measure_fitting(flat(100), flat(100), region())
    assert (found.inside_change_mean, found.inside_deviation, found.seam_step, found.ring_step) == (0, 0, 0, 0)


@pytest.mark.parametrize("level", [0, 90, 130, 255])
def test_a_flat_patch_on_a_flat_picture_has_its_step_at_the_seam_and_none_around(level: int) -> None:
    found = measure_fitting(flat(100), painted(level, region()), region())
    assert found.inside_change_mean == pytest.approx(abs(level - 100))
    assert found.inside_deviation == pytest.approx(0, abs=1e-4)
    assert found.seam_step == abs(level - 100)
    assert found.ring_step == 0


def test_deviation_is_that_of_brightness_inside() -> None:
    where, result = region(), flat(100)
    result[20:40, 20:50:2], result[20:40, 21:50:2] = 80, 120
    assert measure_fitting(flat(100), result, where).inside_deviation == pytest.approx(20)


def test_the_change_is_the_mean_over_channels_and_pixels() -> None:
    where, result = region((0, 0, 2, 1)), flat(100)
    result[0, 0], result[0, 1] = (103, 100, 100), (100, 94, 100)
    assert measure_fitting(flat(100), result, where).inside_change_mean == pytest.approx((1 + 2) / 2)


def test_a_ramp_that_goes_on_has_a_seam_like_its_surroundings() -> None:
    ramp = np.arange(80, dtype=np.uint8)[None, :, None].repeat(60, axis=0).repeat(3, axis=2) * np.uint8(3)
    # A column from top to bottom: only its left and right are seams, and each steps by 3.
    where = region((30, 0, 50, 60))
    found = measure_fitting(ramp, ramp, where)
    assert found.seam_step == 3
    # Steps go across, so that half of the neighbours (those above each other) have none, or a little more than half.
    ring_across, ring_down = 2 * 7 * 60, 2 * 8 * 59
    assert found.ring_step == pytest.approx(3 * ring_across / (ring_across + ring_down))


def test_the_ring_is_eight_pixels_wide_and_looks_no_further() -> None:
    where, result = region(), flat(100)
    result[:, :11], result[:11], result[49:], result[:, 59:] = 0, 0, 0, 0
    assert measure_fitting(flat(100), result, where).ring_step == 0
    result[20:40, 12] = 0
    assert measure_fitting(flat(100), result, where).ring_step > 0


def test_where_the_region_meets_no_border_of_its_own_there_is_no_seam_to_measure() -> None:
    tiny = region((0, 0, 1, 1), (1, 2))
    found = measure_fitting(flat(0, (1, 2)), painted(9, tiny, 0), tiny)
    assert found.seam_step == 9
    assert found.ring_step is None


@pytest.mark.parametrize("size", [(1, 30), (30, 1), (2, 2), (1, 2)])
def test_lines_are_measured_too(size: tuple[int, int]) -> None:
    where = region((0, 0, 1, 1), size)
    found = measure_fitting(flat(10, size), painted(40, where, 10), where)
    assert found.inside_change_mean == pytest.approx(30) and found.seam_step == 30


def test_deep_pictures_are_measured_in_levels_of_8_bits() -> None:
    where = region()
    deep = [picture.astype(np.uint16) * np.uint16(257) for picture in (flat(100), painted(130, where))]
    assert measure_fitting(*deep, where) == measure_fitting(flat(100), painted(130, where), where)


def window(content: tuple[int, int] = (8, 6), size: tuple[int, int] = (8, 6)) -> Window:
    """A window at the scale of its picture."""
    box = Box(0, 0, *content)
    return Window(box, size, content, box)


def test_a_model_that_keeps_all_outside_its_mask_has_no_raw_difference() -> None:
    raw, mask = RawDifference(), np.zeros((6, 8), bool)
    mask[:3] = True
    given, returned = flat(50, (6, 8)), flat(50, (6, 8))
    returned[:3] = 255
    raw.add(given, returned, mask, window())
    assert (raw.mean, raw.highest, raw.changed_share) == (0, 0, 0)


def test_raw_differences_are_added_up_over_windows_by_their_pixels() -> None:
    raw, mask = RawDifference(), np.zeros((6, 8), bool)
    mask[:3] = True
    returned = flat(50, (6, 8))
    returned[5, 7] = (53, 44, 50)
    raw.add(flat(50, (6, 8)), returned, mask, window())
    assert raw.mean == pytest.approx(3 / 24)
    assert raw.highest == 6
    assert raw.changed_share == pytest.approx(1 / 24)
    raw.add(flat(0, (6, 8)), flat(20, (6, 8)), np.zeros((6, 8), bool), window())
    assert raw.pixels == 72
    assert raw.mean == pytest.approx((3 + 48 * 20) / 72)
    assert raw.highest == 20
    assert raw.changed_share == pytest.approx(49 / 72)


def test_the_padding_of_a_window_does_not_count() -> None:
    raw = RawDifference()
    returned = flat(50, (6, 8))
    returned[4:], returned[:, 5:] = 255, 255
    raw.add(flat(50, (6, 8)), returned, np.zeros((6, 8), bool), window(content=(5, 4)))
    assert (raw.pixels, raw.changed, raw.highest) == (20, 0, 0)


def test_of_a_window_that_is_all_mask_nothing_is_known() -> None:
    raw = RawDifference()
    raw.add(flat(0, (6, 8)), flat(255, (6, 8)), np.ones((6, 8), bool), window())
    assert (raw.mean, raw.highest, raw.changed_share) == (None, None, None)
