"""SSIM beside a brute-force computation from its paper, and where it looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_benchmark.metrics import OutputPictures, Reason, Value, areas, measure_output
from inpaint_benchmark.metrics.similarity import ssim_sum
from skimage.metrics import structural_similarity

Array = npt.NDArray[Any]


def noisy(seed: int, size: tuple[int, int] = (24, 28)) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def near(picture: Array, seed: int = 9) -> Array:
    """The picture with a little noise."""
    noise = np.random.default_rng(seed).integers(-20, 21, picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


def brute_force(a: Array, b: Array) -> Array:
    """The SSIM map, pixel by pixel: windows of 11 x 11, Gaussian with sigma 1.5, mirrored at the border."""
    ahead = np.arange(-5, 6)
    weights = np.exp(-(ahead[:, None] ** 2 + ahead[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    x, y = (np.pad(picture.astype(float), ((5, 5), (5, 5), (0, 0)), mode="symmetric") for picture in (a, b))
    found = np.zeros(a.shape[:2])
    for row, column in np.ndindex(found.shape):
        for channel in range(3):
            u, v = (each[row : row + 11, column : column + 11, channel] for each in (x, y))
            mean_u, mean_v = (weights * u).sum(), (weights * v).sum()
            var_u, var_v = (weights * (u - mean_u) ** 2).sum(), (weights * (v - mean_v) ** 2).sum()
            both = (weights * (u - mean_u) * (v - mean_v)).sum()
            value = (2 * mean_u * mean_v + c1) * (2 * both + c2)
            found[row, column] += value / ((mean_u**2 + mean_v**2 + c1) * (var_u + var_v + c2)) / 3
    return found


def everywhere(picture: Array) -> Array:
    return np.ones(picture.shape[:2], np.bool_)


@pytest.mark.parametrize("other", [noisy(2), near(noisy(1)), 255 - noisy(1)])
def test_the_sum_is_that_of_a_brute_force_map(other: Array) -> None:
    expected = brute_force(noisy(1), other)
    assert ssim_sum(noisy(1), other, everywhere(other)) == (pytest.approx(expected.sum(), abs=0.02), other[..., 0].size)
    where = noisy(3)[..., 0] > 200
    total, count = ssim_sum(noisy(1), other, where)
    assert total / count == pytest.approx(expected[where].mean(), abs=1e-4)


@pytest.mark.parametrize("pixel", [(0, 0), (12, 14), (23, 27), (0, 15), (23, 3)])
def test_a_single_difference_is_seen_by_the_windows_around_it_alone(pixel: tuple[int, int]) -> None:
    changed = noisy(1)
    changed[pixel] = 255 - changed[pixel]
    expected = brute_force(noisy(1), changed)
    total, count = ssim_sum(noisy(1), changed, everywhere(changed))
    assert total / count == pytest.approx(expected.mean(), abs=1e-5)


@pytest.mark.parametrize(("away", "is_seen"), [(5, True), (6, False)])
def test_a_difference_beside_the_area_is_seen_as_far_as_windows_reach(away: int, is_seen: bool) -> None:
    where = np.zeros((24, 28), np.bool_)
    where[8:12, 8:12] = True
    changed = noisy(1)
    changed[10, 11 + away] = 255 - changed[10, 11 + away]
    total, count = ssim_sum(noisy(1), changed, where)
    assert total / count == pytest.approx(brute_force(noisy(1), changed)[where].mean(), abs=1e-6)
    assert (total < count) == is_seen


@pytest.mark.parametrize("rows", [1, 2, 5, 23])
def test_pieces_of_any_height_give_the_same(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    whole = ssim_sum(noisy(1), noisy(2), everywhere(noisy(1)))
    monkeypatch.setattr(areas, "_PIECE", rows * 28)
    assert ssim_sum(noisy(1), noisy(2), everywhere(noisy(1))) == (pytest.approx(whole[0], abs=1e-3), whole[1])


def test_without_a_region_it_is_scikit_images_mean() -> None:
    a, b = noisy(1), near(noisy(1))
    nothing = np.zeros(a.shape[:2], np.bool_)
    found = measure_output(OutputPictures(a, b, nothing))["outside_ssim"].value
    expected = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    assert found == pytest.approx(expected, abs=1e-5)


def test_outside_looks_at_windows_without_a_pixel_of_the_region() -> None:
    source = noisy(1, (30, 40))
    region = np.zeros((30, 40), np.bool_)
    region[:, :16] = True
    delivered = source.copy()
    delivered[region] = 255 - delivered[region]
    assert measure_output(OutputPictures(source, delivered, region))["outside_ssim"] == Value(1.0)
    # And at all of them: the change of a corner pixel is seen by whole windows from 5 pixels inwards.
    delivered[15, 30] = 255 - delivered[15, 30]
    found = measure_output(OutputPictures(source, delivered, region))["outside_ssim"].value
    assert found == pytest.approx(brute_force(source, delivered)[5:25, 21:35].mean(), abs=1e-5)


def test_inside_looks_at_every_pixel_of_the_mask() -> None:
    source, delivered = noisy(1), noisy(2)
    region = noisy(3)[..., 0] > 128
    found = measure_output(OutputPictures(source, delivered, region, region, region, source))
    expected = pytest.approx(brute_force(source, delivered)[region].mean(), abs=1e-4)
    assert found["inside_source_ssim"].value == expected
    assert found["truth_object_ssim"].value == expected
    assert found["truth_effect_ssim"].value == expected


@pytest.mark.parametrize("size", [(10, 40), (40, 10)])
def test_a_picture_smaller_than_a_window_has_none(size: tuple[int, int]) -> None:
    region = np.zeros(size, np.bool_)
    region[:2] = True
    found = measure_output(OutputPictures(noisy(1, size), noisy(2, size), region))
    assert found["outside_ssim"] == found["inside_source_ssim"] == Value.none(Reason.REGION_TOO_SMALL)


def test_the_smallest_picture_that_has_one() -> None:
    a, b = noisy(1, (11, 11)), noisy(2, (11, 11))
    found = measure_output(OutputPictures(a, b, np.zeros((11, 11), np.bool_)))["outside_ssim"].value
    assert found == pytest.approx(brute_force(a, b)[5, 5], abs=1e-5)
