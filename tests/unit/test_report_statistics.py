"""Intervals that know how many samples there are."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_benchmark.report.statistics import Estimate, estimate

Clusters = list[list[float]]


def clustered(random: np.random.Generator, samples: int, trials: int = 3, within: float = 0.2) -> Clusters:
    """Samples that differ by 1, trials of a sample by `within`; the true mean is 0."""
    middles = random.normal(0, 1, samples)
    return [list(middle + random.normal(0, within, trials)) for middle in middles]


def as_if_independent(clusters: Clusters) -> Clusters:
    """Each trial as a sample of its own: what a naive interval takes them for."""
    return [[value] for cluster in clusters for value in cluster]


def width(found: Estimate | None) -> float:
    assert found is not None and found.low is not None and found.high is not None
    return found.high - found.low


def covers(found: Estimate | None, truth: float) -> bool:
    assert found is not None and found.low is not None and found.high is not None
    return found.low <= truth <= found.high


def test_an_interval_over_all_trials_is_about_half_as_wide_as_an_honest_one() -> None:
    clusters = clustered(np.random.default_rng(7), 40)
    naive = estimate(as_if_independent(clusters))
    assert width(naive) / width(estimate(clusters)) == pytest.approx(3**-0.5, abs=0.08)


def test_nineteen_of_twenty_honest_intervals_hold_the_truth_and_of_naive_ones_far_fewer() -> None:
    random = np.random.default_rng(8)
    runs = [clustered(random, 30) for _ in range(60)]
    honest = np.mean([covers(estimate(run), 0) for run in runs])
    naive = np.mean([covers(estimate(as_if_independent(run)), 0) for run in runs])
    assert honest >= 0.88
    assert naive <= 0.82


def test_more_trials_of_the_same_samples_do_not_narrow_it_much() -> None:
    few, many = (clustered(np.random.default_rng(9), 20, trials) for trials in (2, 50))
    assert width(estimate(many)) > 0.7 * width(estimate(few))


def test_it_says_the_same_each_time() -> None:
    clusters = clustered(np.random.default_rng(10), 10)
    assert estimate(clusters) == estimate(clusters)


def test_a_sample_with_more_trials_counts_no_more_unless_pictures_are_counted() -> None:
    clusters = [[1.0], [4.0, 4.0, 4.0]]
    by_sample, by_picture = estimate(clusters), estimate(clusters, pooled=True)
    assert by_sample is not None and by_sample.value == 2.5
    assert by_picture is not None and by_picture.value == 3.25
    assert by_picture.trials == 4


def test_one_sample_has_a_mean_and_no_interval() -> None:
    assert estimate([[1.0, 3.0], []]) == Estimate(2.0, None, None, 1, 2)


def test_no_values_are_no_estimate() -> None:
    assert estimate([]) is None
    assert estimate([[], []]) is None


def test_equal_values_have_an_interval_without_width() -> None:
    found = estimate([[0.0, 0.0], [0.0]])
    assert found == Estimate(0.0, 0.0, 0.0, 2, 3)


def test_another_unit_scales_the_interval_too() -> None:
    assert Estimate(2, 1, 3, 4, 5).scaled(1000) == Estimate(2000, 1000, 3000, 4, 5)
