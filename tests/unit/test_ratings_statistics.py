"""Statistics of stars against textbooks and against sums that were done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from inpaint_benchmark.ratings.scores import Score, Undefined
from inpaint_benchmark.ratings.statistics import ONE_RATER, compare
from inpaint_benchmark.ratings.statistics_agreement import Alpha, Level, agreement, alpha
from inpaint_benchmark.ratings.statistics_preference import preferences
from inpaint_benchmark.ratings.statistics_variance import MAX_RATINGS, split_variance
from scipy.special import stdtrit

N = None
#: Krippendorff 2011, section C to E: twelve units, observers A to D, * missing.
TEXTBOOK: list[list[int | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


def score(stars: float, sample: str = "s", rater: str = "r", model: str = "m", unit: str | None = None) -> Score:
    return Score(model, "realism", sample, unit or f"{model}/{sample}", rater, stars)


def textbook_units() -> list[list[float]]:
    return [[float(v) for v in unit if v is not None] for unit in zip(*TEXTBOOK, strict=True)]


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_is_that_of_the_textbook(level: Level, value: float) -> None:
    assert alpha(textbook_units(), level) == pytest.approx(value, abs=5e-4)


def test_two_observers_and_binary_data_are_those_of_the_textbook() -> None:
    # The same paper, section A: ten units, alpha 0.095.
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha(list(zip(first, second, strict=True)), "nominal") == pytest.approx(0.095, abs=5e-4)


def test_raters_who_agree_have_one_and_who_contradict_each_other_less_than_nothing() -> None:
    assert alpha([[1, 1], [3, 3], [4, 4]]) == 1
    against = alpha([[0, 4], [4, 0], [0, 4]])
    assert isinstance(against, float) and against < 0


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ([], "nothing was rated twice"),
        ([[1], [2]], "nothing was rated twice"),
        ([[3, 3], [3, 3], [1]], "all stars of what was rated twice are the same"),
    ],
)
def test_alpha_without_variance_is_no_number(units: list[list[float]], reason: str) -> None:
    assert alpha(units) == Undefined(reason)


def test_agreement_takes_units_and_an_interval_over_samples() -> None:
    scores = [
        score(stars, f"s{unit}", f"r{rater}")
        for rater, row in enumerate(TEXTBOOK)
        for unit, stars in enumerate(row)
        if stars is not None
    ]
    found = agreement(scores)
    assert isinstance(found, Alpha) and isinstance(found.interval, tuple)
    assert found.value == pytest.approx(0.815, abs=5e-4)
    assert (found.units, found.values) == (11, 40)
    assert found.interval[0] < found.value < found.interval[1] <= 1
    assert agreement(scores[:1]) == Undefined("nothing was rated twice")


def test_one_sample_gives_agreement_no_interval() -> None:
    scores = [score(s, rater=r, unit=u) for u, r, s in (("a", "x", 1), ("a", "y", 2), ("b", "x", 4), ("b", "y", 4))]
    found = agreement(scores)
    assert isinstance(found, Alpha) and found.interval == Undefined("one sample")


# --- means and ranks --------------------------------------------------------------------------------------------------


def test_a_mean_is_over_units_then_raters_then_samples() -> None:
    scores = [
        score(4, "one", "x", unit="1"),
        score(2, "one", "x", unit="2"),
        score(1, "one", "y"),
        score(4, "two", "x"),
    ]
    mean = compare(scores)["m"].mean
    assert mean.value == ((3 + 1) / 2 + 4) / 2
    assert (mean.samples, mean.raters, mean.ratings) == (2, 2, 4)


def test_an_interval_of_one_rater_is_that_of_the_samples_and_says_so() -> None:
    scores = [score(4 * (number % 2), f"s{number}") for number in range(16)]
    mean = compare(scores)["m"].mean
    # Student's t for 15 degrees of freedom, and the unbiased variance of eight 0 and eight 4.
    half = 2.1314 * math.sqrt(16 * 4 / 15 / 16)
    assert mean.interval == pytest.approx((2 - half, 2 + half), abs=1e-3)
    assert mean.note == ONE_RATER == "one rater: of the samples alone"


def test_an_interval_of_several_raters_has_both_variances() -> None:
    # Complete: sample s is s - 2.5 off the mean, rater r is (-0.5, 0, 0.5)[r] off, and nothing else is.
    scores = [
        score(2 + (sample - 2.5) / 4 + (rater - 1) / 2, f"s{sample}", f"r{rater}")
        for sample in range(6)
        for rater in range(3)
    ]
    mean = compare(scores)["m"].mean
    of_samples, of_raters = np.var(np.arange(6) / 4, ddof=1) / 6, 0.25 / 3
    freedom = (of_samples + of_raters) ** 2 / (of_samples**2 / 5 + of_raters**2 / 2)
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(of_samples + of_raters)
    assert mean.interval == pytest.approx((2 - half, 2 + half), rel=0.02)  # raters are drawn
    assert mean.note is None


def test_an_interval_stays_within_the_stars() -> None:
    scores = [score(stars, sample, rater) for sample in "ab" for rater, stars in (("x", 0), ("y", 4))]
    assert compare(scores)["m"].mean.interval == (0, 4)


@pytest.mark.parametrize(("raters", "least"), [(2, 0.78), (3, 0.87), (10, 0.89)])
def test_intervals_cover_the_mean_though_there_are_few_raters(raters: int, least: float) -> None:
    random = np.random.default_rng(8)
    covered = 0
    for _ in range(200):
        table = (
            2 + random.normal(0, 0.6, (20, 1)) + random.normal(0, 0.7, (1, raters))
            + random.normal(0, 0.5, (20, raters))
        )  # fmt: skip
        scores = [score(float(table[s, r]), f"s{s}", f"r{r}") for s in range(20) for r in range(raters)]
        interval = compare(scores)["m"].mean.interval
        assert isinstance(interval, tuple)
        covered += interval[0] <= 2 <= interval[1]
    assert covered / 200 >= least


def test_raters_who_differ_widen_the_interval() -> None:
    def width(bias: float) -> float:
        scores = [
            score(2 + bias * (1 if rater % 2 else -1) + (sample % 2) / 4, f"s{sample}", f"r{rater}")
            for sample in range(12)
            for rater in range(4)
        ]
        interval = compare(scores)["m"].mean.interval
        assert isinstance(interval, tuple)
        return interval[1] - interval[0]

    assert width(1) > 3 * width(0)


def test_no_interval_where_there_is_one_sample_or_nothing_differs() -> None:
    assert compare([score(3), score(4, rater="q")])["m"].mean.interval == Undefined("one sample")
    same = compare([score(3, name) for name in "abc"])["m"].mean
    assert (same.value, same.interval) == (3, Undefined("all stars are the same"))
    assert compare([]) == {}


def test_models_that_stars_do_not_tell_apart_share_ranks() -> None:
    scores = []
    for number in range(10):
        sample = f"s{number}"
        scores += [
            score(4 - number % 2, sample, model="good"),
            score(3 + number % 2, sample, model="also"),
            score(1 - number % 2, sample, model="bad"),
        ]
    ranks = {model: standing.ranks for model, standing in compare(scores).items()}
    assert ranks == {"good": (1, 2), "also": (1, 2), "bad": (3, 3)}
    assert compare([score(3, "a"), score(2, "b")])["m"].ranks == Undefined("nothing to be compared with")


def test_models_with_fewer_than_six_samples_in_common_have_no_rank() -> None:
    def ranks(samples: int) -> set[object]:
        scores = [
            score(stars, f"s{n}", model=model) for n in range(samples) for model, stars in (("a", 4), ("b", n % 2))
        ]
        return {standing.ranks for standing in compare(scores).values()}

    assert ranks(5) == {Undefined("fewer than 6 samples in common")}
    assert ranks(6) == {(1, 1), (2, 2)}


def test_a_model_that_was_seen_on_one_sample_has_no_rank() -> None:
    scores = [score(n % 2 + 2, f"s{n}", model=model) for n in range(8) for model in "ab"] + [score(4, "s0", model="c")]
    ranks = {model: standing.ranks for model, standing in compare(scores).items()}
    assert ranks == {"a": (1, 2), "b": (1, 2), "c": Undefined("fewer than 6 samples in common")}


def test_models_that_different_people_rated_are_not_compared() -> None:
    scores = [score(1 + n % 2, f"s{n}", "strict", "a") for n in range(10)]
    scores += [score(3 + n % 2, f"s{n}", "lenient", "b") for n in range(10)]
    assert {s.ranks for s in compare(scores).values()} == {Undefined("no rater saw both on one sample")}


def test_a_strict_rater_whom_one_model_alone_had_makes_it_no_worse() -> None:
    scores = [
        score(2 + (n + shift) % 2, f"s{n}", "both", model) for n in range(10) for model, shift in (("a", 0), ("b", 1))
    ]
    scores += [score(0, f"s{n}", "strict", "a") for n in range(10)]
    found = compare(scores)
    assert {s.ranks for s in found.values()} == {(1, 2)}
    assert {s.note for s in found.values()} == {ONE_RATER}
    assert found["a"].mean.note is None  # two have rated it


def test_equal_models_are_hardly_ever_told_apart() -> None:
    random = np.random.default_rng(2)
    told = 0
    for _ in range(200):
        scores = [score(int(random.integers(0, 5)), f"s{n}", model=m) for n in range(6) for m in "ab"]
        told += compare(scores)["a"].ranks != (1, 2)
    assert told / 200 <= 0.09


def test_a_pair_is_told_apart_though_samples_differ_more_than_models() -> None:
    scores = [
        score(min(4.0, base + better), f"s{number}", model=model)
        for number, base in enumerate([0, 1, 2, 3, 0, 1, 2, 3])
        for model, better in (("a", 1.0), ("b", 0.0))
    ]
    assert {m: s.ranks for m, s in compare(scores).items()} == {"a": (1, 1), "b": (2, 2)}


# --- preference -------------------------------------------------------------------------------------------------------


def test_strengths_of_two_models_are_the_odds_of_winning() -> None:
    scores = []
    for number in range(4):
        scores += [score(3, f"s{number}", model="a"), score(4 if number == 0 else 1, f"s{number}", model="b")]
    found = preferences(scores)
    assert (found["a"].wins, found["a"].ties, found["a"].losses) == (3, 0, 1)
    assert found["a"].strength == pytest.approx(math.log(3) / 2, abs=1e-6)
    assert found["b"].strength == pytest.approx(-math.log(3) / 2, abs=1e-6)


def test_a_tie_is_half_a_win_for_both() -> None:
    scores = [
        score(stars, sample, model=model)
        for sample, a, b in (("1", 3, 3), ("2", 4, 1))
        for model, stars in (("a", a), ("b", b))
    ]
    assert preferences(scores)["a"].strength == pytest.approx(math.log(3) / 2, abs=1e-6)  # 1.5 to 0.5


def test_who_always_wins_has_no_finite_strength() -> None:
    scores = [score(stars, f"s{n}", model=model) for n in range(3) for model, stars in (("a", 4), ("b", 1))]
    found = preferences(scores)["a"]
    assert isinstance(found.strength, Undefined) and found.wins == 3


def test_models_that_share_no_sample_are_not_compared() -> None:
    found = preferences([score(4, "one", model="a"), score(1, "two", model="b")])
    assert found["a"].strength == Undefined("no two models were rated on one sample by one rater")


# --- variance ---------------------------------------------------------------------------------------------------------


def test_variances_of_complete_data_are_those_of_the_analysis_of_variance() -> None:
    # Five samples with three trials each, rated by four raters: nested and crossed.
    random = np.random.default_rng(3)
    table = (
        random.normal(0, 2, (5, 1, 1)) + random.normal(0, 1, (5, 3, 1)) + random.normal(0, 1.5, (1, 1, 4))
        + random.normal(0, 0.5, (5, 3, 4))
    )  # fmt: skip
    scores = [
        score(float(table[s, t, r]), f"s{s}", f"r{r}", unit=f"{s}-{t}")
        for s in range(5)
        for t in range(3)
        for r in range(4)
    ]
    grand, by_sample, by_trial, by_rater = table.mean(), table.mean((1, 2)), table.mean(2), table.mean((0, 1))
    of_samples = 12 * ((by_sample - grand) ** 2).sum() / 4
    of_trials = 4 * ((by_trial - by_sample[:, None]) ** 2).sum() / 10
    of_raters = 15 * ((by_rater - grand) ** 2).sum() / 3
    rest = ((table - by_trial[:, :, None] - by_rater + grand) ** 2).sum() / (14 * 3)
    found = split_variance(scores)
    assert found.rest == pytest.approx(rest, rel=1e-3)
    assert found.trials == pytest.approx((of_trials - rest) / 4, rel=1e-3)
    assert found.samples == pytest.approx((of_samples - of_trials) / 12, rel=1e-3)
    assert found.raters == pytest.approx((of_raters - rest) / 15, rel=1e-3)


def test_of_many_ratings_whole_samples_are_taken_from_all_raters() -> None:
    random = np.random.default_rng(4)
    strictness = random.normal(0, 1, 8)
    # One rater after the other, as they are given: the first alone fills the limit.
    scores = [
        score(2 + strictness[rater] + random.normal(0, 0.5), f"s{sample}", f"r{rater}")
        for rater in range(8)
        for sample in range(MAX_RATINGS)
    ]
    found = split_variance(scores)
    assert found.raters == pytest.approx(float(np.var(strictness, ddof=1)), rel=0.2)
    assert (found.used, found.ratings) == (MAX_RATINGS, 8 * MAX_RATINGS)
    assert found == split_variance(scores)
    few = split_variance(scores[:100])
    assert (few.used, few.ratings) == (100, 100)


def test_what_cannot_be_told_apart_is_not_told() -> None:
    one = split_variance([score(stars, name) for name, stars in (("a", 1), ("b", 4), ("c", 2))])
    assert (one.samples, one.trials, one.raters) == (
        Undefined("each sample was rated once"),
        Undefined("one trial of each sample"),
        Undefined("one rater"),
    )
    assert one.rest == pytest.approx(7 / 3, rel=1e-3)  # the plain variance of 1, 4 and 2
    assert split_variance([score(3, name) for name in "abc"]).rest == Undefined("no variance")
    assert split_variance([]).samples == Undefined("too few ratings")


def test_differences_between_models_are_nobodys_variance() -> None:
    scores = [
        score(stars, sample, rater, model)
        for model, stars in (("a", 0), ("b", 4))
        for sample in "xyz"
        for rater in "12"
    ]
    assert split_variance(scores).samples == Undefined("no variance")
