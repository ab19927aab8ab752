"""Seam and inside, of pictures that were made so that the answers are known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from inpaint_benchmark.metrics import OutputPictures, Reason, Value, measure_output

Array = npt.NDArray[Any]
_SIZE = (60, 80)


def flat(level: int, size: tuple[int, int] = _SIZE) -> Array:
    return np.full((*size, 3), level, np.uint8)


def noise(deviation: float, seed: int = 1, size: tuple[int, int] = _SIZE) -> Array:
    """Grey with grain."""
    grain = np.random.default_rng(seed).normal(128, deviation, size)
    return np.clip(np.rint(grain), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def box(top: int = 20, bottom: int = 40, left: int = 20, right: int = 50) -> Array:
    region = np.zeros(_SIZE, np.bool_)
    region[top:bottom, left:right] = True
    return region


def measured(delivered: Array, region: Array, source: Array | None = None) -> dict[str, Value]:
    return measure_output(OutputPictures(flat(100) if source is None else source, delivered, region))


def number(value: Value) -> float:
    assert value.value is not None, value.reason
    return value.value


# --- seam -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 10, 50])
def test_a_flat_patch_on_a_flat_picture_has_its_whole_step_as_seam(step: int) -> None:
    delivered = flat(100)
    delivered[box()] = 100 + step
    assert measured(delivered, box())["seam_ratio"] == Value(step + 1.0)


def test_where_nothing_was_done_texture_has_no_seam() -> None:
    assert number(measured(noise(20), box())["seam_ratio"]) == pytest.approx(1, abs=0.1)


def test_the_same_step_shows_less_in_texture() -> None:
    grainy, plain = noise(20), noise(1)
    for picture in (grainy, plain):
        picture[box()] += 30
    in_grain, in_plain = (number(measured(each, box())["seam_ratio"]) for each in (grainy, plain))
    assert 1.2 < in_grain < 3 < 10 < in_plain


def test_a_seam_of_colour_alone_is_seen() -> None:
    delivered = flat(100)
    delivered[box(), 0], delivered[box(), 2] = 130, 70
    assert measured(delivered, box())["seam_ratio"] == Value(1 + (30 + 30) / 3)


def test_the_seam_by_brute_force() -> None:
    delivered, region = np.random.default_rng(3).integers(0, 256, (*_SIZE, 3), dtype=np.uint8), box(0, 30, 40, 80)
    delivered[region] //= 4  # so that the rings differ
    rows, columns = np.indices(_SIZE)
    # Euclid's distance to the nearest pixel of the other side: of a box in a corner of the picture.
    right, down = 40 - columns, rows - 29
    to_region = np.hypot(np.maximum(right, 0), np.maximum(down, 0))
    to_outside = np.minimum(columns - 39, 30 - rows)
    near = {True: region & (to_outside <= 8), False: ~region & (to_region <= 8)}
    across: list[float] = []
    rings: dict[bool, list[float]] = {True: [], False: []}
    for row, column in np.ndindex(_SIZE):
        for other in ((row + 1, column), (row, column + 1)):
            if other[0] >= _SIZE[0] or other[1] >= _SIZE[1]:
                continue
            step = np.abs(delivered[row, column].astype(int) - delivered[other]).mean()
            if region[row, column] != region[other]:
                across.append(step)
            for side in (True, False):
                if near[side][row, column] and near[side][other]:
                    rings[side].append(step)
    expected = (np.mean(across) + 1) / ((np.mean(rings[True]) + np.mean(rings[False])) / 2 + 1)
    # OpenCV's distances are off by up to 2 % off the axes, which moves a few pairs in or out of the ring.
    assert number(measured(delivered, region)["seam_ratio"]) == pytest.approx(expected, rel=2e-3)


def test_the_rings_are_eight_pixels_wide_on_both_sides() -> None:
    region = box(0, 60, 40, 80)  # the right half: rings are columns 32 to 39, and 40 to 47
    for edge, is_seen in ((31, False), (33, True), (47, True), (48, False)):
        delivered = flat(100)
        delivered[:, edge if edge >= 40 else 0 : 80 if edge >= 40 else edge] = 150
        assert (measured(delivered, region)["seam_ratio"] != Value(1.0)) == is_seen, edge


def test_a_region_of_one_pixel_has_the_outer_ring_alone() -> None:
    delivered, region = flat(100), np.zeros(_SIZE, np.bool_)
    region[30, 30], delivered[30, 30] = True, 120
    assert measured(delivered, region)["seam_ratio"] == Value(21.0)


# --- texture ----------------------------------------------------------------------------------------------------------


def test_flatness_is_the_share_of_windows_without_texture() -> None:
    delivered = noise(20)
    assert measured(delivered, box())["inside_flatness"] == Value(0.0)
    delivered[20:40, 20:35] = 90
    # Middles of whole windows: columns 23 to 46, of which 23 to 31 see the flat half alone.
    assert number(measured(delivered, box())["inside_flatness"]) == pytest.approx(9 / 24)
    delivered[box()] = 90
    assert measured(delivered, box())["inside_flatness"] == Value(1.0)


def test_flatness_by_brute_force() -> None:
    delivered = noise(1.0)
    windows = np.lib.stride_tricks.sliding_window_view(delivered[20:40, 20:50, 0].astype(float), (7, 7))
    expected = (windows.std(axis=(2, 3)) < 1).mean()
    assert 0.1 < expected < 0.9
    assert number(measured(delivered, box())["inside_flatness"]) == pytest.approx(expected)


def test_a_region_without_a_whole_window_has_no_flatness() -> None:
    thin = box(20, 26)
    assert measured(noise(20), thin)["inside_flatness"] == Value.none(Reason.REGION_TOO_SMALL)
    assert measured(noise(20), box(0, 6))["inside_flatness"] == Value.none(Reason.REGION_TOO_SMALL)


def test_sharpness_is_the_ratio_of_variances_of_the_laplacian() -> None:
    delivered, region = noise(20), box()
    delivered[region] = cv2.GaussianBlur(noise(20, seed=2), (0, 0), 1)[region]
    grey = np.pad(delivered[..., 0].astype(float), 1, mode="reflect")
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    clear = np.zeros(_SIZE, np.bool_)
    clear[1:-1, 1:-1] = True
    clear[19:41, 20:50] = clear[20:40, 19:51] = False  # the region, and what touches it
    expected = laplacian[21:39, 21:49].var() / laplacian[clear].var()
    found = number(measured(delivered, region)["inside_sharpness_ratio"])
    assert found == pytest.approx(expected)
    assert found < 0.1


def test_the_same_texture_is_as_sharp_inside() -> None:
    assert number(measured(noise(20), box())["inside_sharpness_ratio"]) == pytest.approx(1, abs=0.15)


def test_nothing_is_sharper_than_a_flat_picture() -> None:
    delivered = flat(100)
    delivered[box()] = noise(20)[box()]
    assert measured(delivered, box())["inside_sharpness_ratio"] == Value.none(Reason.FLAT_OUTSIDE)


# --- nothing done, blank ----------------------------------------------------------------------------------------------


def test_a_result_that_is_the_source_did_nothing() -> None:
    found = measured(noise(20), box(), noise(20))
    assert found["inside_source_ssim"] == Value(1.0)
    assert found["inside_change_mean"] == Value(0.0)


def test_a_new_content_is_unlike_the_source() -> None:
    delivered = noise(20)
    delivered[box()] = noise(20, seed=2)[box()]
    found = measured(delivered, box(), noise(20))
    assert number(found["inside_source_ssim"]) < 0.3
    inside = np.abs(delivered.astype(float) - noise(20))[box()]
    assert number(found["inside_change_mean"]) == pytest.approx(inside.mean())


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (200, 10, 10)])
def test_one_colour_is_blank(colour: tuple[int, int, int]) -> None:
    delivered = noise(20)
    delivered[box()] = colour
    found = measured(delivered, box())
    assert found["inside_blank"] == Value(1.0)
    assert number(found["inside_deviation"]) == pytest.approx(0, abs=1e-4)


def test_a_plain_wall_is_not_blank() -> None:
    found = measured(noise(4), box())
    assert found["inside_blank"] == Value(0.0)
    assert number(found["inside_deviation"]) == pytest.approx(noise(4)[box()][:, 0].std(), abs=1e-3)


def test_colours_of_one_brightness_are_not_blank() -> None:
    delivered = flat(100)
    delivered[20:40, 20:50:2] = (149, 75, 100)  # of luma 100, or nearly
    assert measured(delivered, box())["inside_blank"] == Value(0.0)


def test_deviation_is_that_of_brightness() -> None:
    delivered = flat(100)
    delivered[20:40, 20:50:2], delivered[20:40, 21:50:2] = 80, 120
    assert number(measured(delivered, box())["inside_deviation"]) == pytest.approx(20)


def test_a_handful_of_pixels_tells_nothing_about_deviation() -> None:
    found = measured(flat(100), box(20, 23, 20, 25))
    assert found["inside_blank"] == found["inside_deviation"] == Value.none(Reason.REGION_TOO_SMALL)
    found = measured(flat(100), box(20, 24, 20, 24))
    assert found["inside_blank"] == Value(1.0)
