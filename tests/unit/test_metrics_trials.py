"""How alike several results are, and the picture of where they differ."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from inpaint_benchmark.metrics import METRICS, Reason, Value, areas, deviation_picture, measure_trials
from skimage.color import deltaE_ciede2000, rgb2lab

Array = npt.NDArray[Any]
_SIZE = (24, 30)


def noisy(seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (*_SIZE, 3), dtype=np.uint8)


def flat(level: int) -> Array:
    return np.full((*_SIZE, 3), level, np.uint8)


def box(top: int = 4, bottom: int = 20, left: int = 5, right: int = 25) -> Array:
    region = np.zeros(_SIZE, np.bool_)
    region[top:bottom, left:right] = True
    return region


def test_every_metric_of_trials_is_measured_and_no_other() -> None:
    found = measure_trials([noisy(1), noisy(2)], box(), [1, 2])
    assert list(found) == [name for name, metric in METRICS.items() if metric.scope == "trials"]


def test_trials_that_are_the_same_are_alike() -> None:
    found = measure_trials([noisy(1)] * 3, box(), [7, 7, 8])
    assert found == {
        "trials_delta_e_mean": Value(0.0),
        "trials_delta_e_worst": Value(0.0),
        "trials_ssim_mean": Value(1.0),
        "trials_ssim_worst": Value(1.0),
        "trials_same_seed_identical": Value(1.0),
    }


def test_mean_and_worst_are_over_all_pairs_inside_the_region() -> None:
    trials, region = [flat(100), flat(110), flat(150)], box()
    for trial in trials:
        trial[~region] = noisy(9)[~region]
    trials[1][0, 0] = 0  # outside: it does not count
    labs = [rgb2lab(trial[10, 10]) for trial in trials]
    expected = [float(deltaE_ciede2000(a, b)) for a, b in combinations(labs, 2)]
    found = measure_trials(trials, region, [1, 2, 3])
    assert found["trials_delta_e_mean"].value == pytest.approx(np.mean(expected))
    assert found["trials_delta_e_worst"].value == pytest.approx(max(expected))


def test_the_worst_pair_is_the_least_similar() -> None:
    near = np.clip(noisy(1).astype(int) + 5, 0, 255).astype(np.uint8)
    found = measure_trials([noisy(1), near, noisy(2)], box(), [1, 2, 3])
    mean, worst = found["trials_ssim_mean"].value, found["trials_ssim_worst"].value
    assert mean is not None and worst is not None
    pairs = [
        measure_trials(pair, box(), [1, 2])["trials_ssim_mean"].value
        for pair in combinations((noisy(1), near, noisy(2)), 2)
    ]
    assert mean == pytest.approx(np.mean(np.asarray(pairs, float)))
    assert worst == min(pairs, key=lambda value: value or 0) < mean


def test_one_pixel_that_differs_under_the_same_seed_is_told() -> None:
    other = noisy(1)
    other[0, 0, 0] ^= 1
    assert measure_trials([noisy(1), other], box(), [7, 7])["trials_same_seed_identical"] == Value(0.0)
    assert measure_trials([noisy(1), noisy(1), other], box(), [7, 7, 7])["trials_same_seed_identical"] == Value(0.0)
    assert measure_trials([noisy(1), noisy(1), other], box(), [7, 7, 8])["trials_same_seed_identical"] == Value(1.0)


@pytest.mark.parametrize("seeds", [[1, 2], [None, None], [None, 1]])
def test_unknown_and_different_seeds_are_not_equal(seeds: list[int | None]) -> None:
    found = measure_trials([noisy(1), noisy(1)], box(), seeds)
    assert found["trials_same_seed_identical"] == Value.none(Reason.NO_EQUAL_SEEDS)


@pytest.mark.parametrize("count", [0, 1])
def test_one_trial_says_nothing(count: int) -> None:
    found = measure_trials([noisy(1)] * count, box(), [7] * count)
    assert set(found.values()) == {Value.none(Reason.ONE_TRIAL)}


def test_without_a_region_there_is_nothing_to_compare_but_the_pictures() -> None:
    found = measure_trials([noisy(1), noisy(1)], box(0, 0), [7, 7])
    assert found.pop("trials_same_seed_identical") == Value(1.0)
    assert set(found.values()) == {Value.none(Reason.NOTHING_INSIDE)}


def test_pictures_too_small_for_ssim_have_colours_all_the_same() -> None:
    small = [noisy(1)[:5, :5], noisy(2)[:5, :5]]
    found = measure_trials(small, np.ones((5, 5), np.bool_), [1, 2])
    assert found["trials_ssim_mean"] == found["trials_ssim_worst"] == Value.none(Reason.REGION_TOO_SMALL)
    assert (found["trials_delta_e_mean"].value or 0) > 1


def test_results_regions_and_seeds_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="2 results and 1 seeds"):
        measure_trials([noisy(1), noisy(1)], box(), [7])
    with pytest.raises(ValueError, match=r"delivered\[1\] is 30 x 23, and not 30 x 24"):
        measure_trials([noisy(1), noisy(1)[1:]], box(), [7, 8])
    with pytest.raises(ValueError, match="needs two results; there is 1"):
        deviation_picture([noisy(1)], box())


# --- the picture of deviations ----------------------------------------------------------------------------------------


def inferno(level: float) -> list[int]:
    """The colour of a share of the scale, 0 to 1."""
    value = np.full((1, 1), round(level * 255), np.uint8)
    return [int(channel) for channel in cv2.applyColorMap(value, cv2.COLORMAP_INFERNO)[0, 0, ::-1]]


@pytest.mark.parametrize(("apart", "share"), [(0, 0), (64, 0.5), (128, 1), (200, 1)])
def test_a_deviation_has_the_colour_of_its_share_of_64_levels(apart: int, share: float) -> None:
    drawn = deviation_picture([flat(20), flat(20 + apart)], box())
    assert drawn.shape == (*_SIZE, 3) and drawn.dtype == np.uint8
    assert drawn[10, 10].tolist() == inferno(share)


def test_the_scale_does_not_depend_on_the_pictures() -> None:
    calm, wild = [flat(20), flat(24)], [flat(20), flat(24)]
    wild[1][5, 6] = 250
    assert deviation_picture(calm, box())[10, 10].tolist() == deviation_picture(wild, box())[10, 10].tolist()


def test_outside_the_region_all_is_grey() -> None:
    drawn = deviation_picture([noisy(1), noisy(2)], box())
    assert (drawn[~box()] == 128).all()
    assert not (drawn[box()] == 128).all(axis=1).any()
    assert (deviation_picture([noisy(1), noisy(2)], box(0, 0)) == 128).all()


def test_deviations_by_numpy_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "_PIECE", 50)
    trials = [noisy(seed) // 3 for seed in range(4)]
    drawn = deviation_picture(trials, box())
    deviation = np.sqrt(np.stack(trials).astype(float).var(axis=0).mean(axis=2))
    for row, column in np.argwhere(box()):
        exact = min(1.0, deviation[row, column] / 64)
        near = [inferno(min(1.0, max(0.0, exact + shift))) for shift in (-0.0005, 0.0005)]
        assert drawn[row, column].tolist() in near
