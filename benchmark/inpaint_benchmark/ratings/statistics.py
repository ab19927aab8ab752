"""Mean stars with 95 % intervals, and ranks that tell ties.

The mean is over the units that a rater saw of a sample, then over raters, then over samples, as in
`bench.rating_summary`. It would be another one with other samples and other raters, so it is drawn anew over samples
and over raters, each on its own, and the two variances are added: who is strict is strict with every sample, so that
raters are crossed with samples (A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1(2), 2007). To draw
raters anew within each drawn sample would take them for other people in each, and cover a known mean in 61 % of cases
instead of 86 %, where three raters differ (docs/ratings.md has the table).

Few samples or raters vary less among themselves than all those that they stand for, which is why 86 % are not 95 %. So
the variance of a bootstrap over n is multiplied by n / (n - 1), and the quantiles are those of Student's t (T. C.
Hesterberg, What teachers should know about the bootstrap, The American Statistician 69(4), 2015), with the degrees of
freedom of a sum of two variances (F. E. Satterthwaite, An approximate distribution of estimates of variance components,
Biometrics Bulletin 2(6), 1946).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from inpaint_benchmark.ratings.scores import Score, Undefined, cells
from inpaint_benchmark.report.statistics import DRAWS, LEVEL, SEED

MOST_STARS = 4.0
#: Models are told apart by so many samples at least, which both were seen on.
LEAST_SAMPLES = 6
#: What an interval or a rank lacks that one rater alone gave: how others would have judged is not in it.
ONE_RATER = "one rater: of the samples alone"


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean stars. `interval` is undefined with one sample, or where all stars are the same. `note`: what it lacks."""

    value: float
    interval: tuple[float, float] | Undefined
    note: str | None
    samples: int
    raters: int
    ratings: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's mean, and the ranks that it may have: from 1, the best, both ends included. `note`: what they lack."""

    mean: Mean
    ranks: tuple[int, int] | Undefined
    note: str | None


@dataclass(frozen=True, slots=True)
class _Spread:
    """A mean, and half the width of its interval. `raters`: how many it was drawn over."""

    mean: float
    half: float
    raters: int


def compare(scores: Sequence[Score]) -> dict[str, Standing]:
    """How models stand by one criterion. `scores`: all of that criterion.

    Two models are compared on what the same rater gave to both on the same sample, and on nothing else: that one was
    seen by stricter people makes it no worse. A model may rank as high as there are models that are surely better (the
    95 % interval of the difference lies above zero), and as low as there are models that are surely worse. Whoever
    shares ranks is not told apart by these stars.
    """
    models = sorted({score.model for score in scores})
    samples = sorted({score.sample for score in scores})
    raters = sorted({score.rater for score in scores})
    of_model = {model: [score for score in scores if score.model == model] for model in models}
    tables = {model: cells(of_model[model], samples, raters) for model in models}
    ranks = _ranks(tables)
    return {
        model: Standing(_mean(tables[model], len(of_model[model])), *ranks[model])
        for model in models
    }  # fmt: skip


def mean_of(table: np.ndarray) -> float:
    """The mean of a table of samples x raters, with NaN where a rater has not seen a sample."""
    return float(_by_sample(table, np.ones((1, table.shape[1])))[0])


def _mean(table: np.ndarray, ratings: int) -> Mean:
    seen = ~np.isnan(table)
    samples, raters = int(seen.any(axis=1).sum()), int(seen.any(axis=0).sum())
    interval: tuple[float, float] | Undefined
    if samples < 2:
        interval = Undefined("one sample")
    elif np.ptp(table[seen]) == 0:
        interval = Undefined("all stars are the same")
    else:
        spread = _spread(table)
        interval = (max(0.0, spread.mean - spread.half), min(MOST_STARS, spread.mean + spread.half))
    note = ONE_RATER if raters == 1 and isinstance(interval, tuple) else None
    return Mean(mean_of(table), interval, note, samples, raters, ratings)


def _spread(table: np.ndarray) -> _Spread:
    """The mean of a table of at least two samples, and how far another one may lie."""
    seen = ~np.isnan(table)
    kept = table[np.ix_(seen.any(axis=1), seen.any(axis=0))]
    samples, raters = kept.shape
    # The variance of a plain mean over all possible draws is known without drawing.
    of_samples = float(np.nanmean(kept, axis=1).var()) / (samples - 1)
    if raters == 1:
        of_raters = 0.0
    elif np.isnan(kept).any():
        of_raters = float(_by_sample(kept, _draws(raters)).var()) * raters / (raters - 1)
    else:
        of_raters = float(kept.mean(axis=0).var()) / (raters - 1)
    variance = of_samples + of_raters
    if variance == 0:
        return _Spread(mean_of(kept), 0.0, raters)
    freedom = variance**2 / (of_samples**2 / (samples - 1) + of_raters**2 / max(1, raters - 1))
    return _Spread(mean_of(kept), float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(variance), raters)


@lru_cache(maxsize=8)
def _draws(raters: int) -> np.ndarray:
    """How often each rater is in each draw; the same for all tables of so many."""
    random = np.random.default_rng(SEED)
    return random.multinomial(raters, np.full(raters, 1 / raters), size=DRAWS).astype(float)


def _by_sample(table: np.ndarray, of_raters: np.ndarray) -> np.ndarray:
    """The mean over samples of means over raters, for each of the weights of raters (draws x raters)."""
    there = ~np.isnan(table)
    weight = of_raters @ there.T.astype(float)
    sums = of_raters @ np.where(there, table, 0.0).T
    means = np.divide(sums, weight, out=np.zeros_like(weight), where=weight > 0)
    return np.asarray(means.sum(axis=1) / (weight > 0).sum(axis=1))


def _ranks(tables: dict[str, np.ndarray]) -> dict[str, tuple[tuple[int, int] | Undefined, str | None]]:
    models = list(tables)
    better, worse = dict.fromkeys(models, 0), dict.fromkeys(models, 0)
    compared, alone = set[str](), set[str]()
    shared = dict.fromkeys(models, 0)
    for one, other in combinations(models, 2):
        difference = tables[other] - tables[one]
        common = int((~np.isnan(difference)).any(axis=1).sum())
        for model in (one, other):
            shared[model] = max(shared[model], common)
        if common < LEAST_SAMPLES:
            continue
        spread = _spread(difference)
        compared |= {one, other}
        alone |= {one, other} if spread.raters == 1 else set()
        up, down = (other, one) if spread.mean > 0 else (one, other)
        if abs(spread.mean) > spread.half:
            better[down] += 1
            worse[up] += 1
    ranked = {model: (1 + better[model], len(compared) - worse[model]) for model in compared}
    return {
        model: (ranked[model], ONE_RATER if model in alone else None)
        if model in compared
        else (Undefined(_why(len(models), shared[model])), None)
        for model in models
    }


def _why(models: int, shared: int) -> str:
    if models < 2:
        return "nothing to be compared with"
    if shared == 0:
        return "no rater saw both on one sample"
    return f"fewer than {LEAST_SAMPLES} samples in common"
