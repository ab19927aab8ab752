"""Mean stars with 95 % intervals, and ranks that tell ties.

The mean is over the units that a rater saw of a sample, then over raters, then over samples, as in
`bench.rating_summary`. It would be another one with other samples and other raters, so both are drawn anew, each on
its own: the pigeonhole bootstrap (A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1(2), 2007). All
models are drawn with the same samples and raters, so that their differences are those of pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inpaint_benchmark.ratings.scores import Score, Undefined, cells
from inpaint_benchmark.report.statistics import DRAWS, LEVEL, SEED

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean stars. `interval` is undefined with one sample, or where all stars are the same."""

    value: float
    interval: tuple[float, float] | Undefined
    samples: int
    raters: int
    ratings: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's mean, and the ranks that it may have: from 1, the best, both ends included."""

    mean: Mean
    ranks: tuple[int, int] | Undefined


def compare(scores: Sequence[Score]) -> dict[str, Standing]:
    """How models stand by one criterion. `scores`: all of that criterion.

    A model may rank as high as there are models that are surely better (the 95 % interval of the difference lies above
    zero), and as low as there are models that are surely worse. Whoever shares ranks is not told apart by these stars.
    """
    models = sorted({score.model for score in scores})
    samples = sorted({score.sample for score in scores})
    raters = sorted({score.rater for score in scores})
    of_model = {model: [score for score in scores if score.model == model] for model in models}
    tables = [cells(of_model[model], samples, raters) for model in models]
    if not tables:
        return {}
    drawn = _drawn(tables)
    means = {
        model: _mean(of_model[model], table, drawn[:, place])
        for place, (model, table) in enumerate(zip(models, tables, strict=True))
    }
    ranks = _ranks(means, drawn)
    return {model: Standing(means[model], ranks[model]) for model in models}


def mean_of(table: np.ndarray) -> float:
    """The mean of a table of samples x raters, with NaN where a rater has not seen a sample."""
    return float(_weighted(table, np.ones((1, table.shape[0])), np.ones((1, table.shape[1])))[0])


def _mean(scores: Sequence[Score], table: np.ndarray, drawn: np.ndarray) -> Mean:
    samples, raters = len({s.sample for s in scores}), len({s.rater for s in scores})
    interval: tuple[float, float] | Undefined
    if samples < 2:
        interval = Undefined("one sample")
    elif np.ptp(table[~np.isnan(table)]) == 0:
        interval = Undefined("all stars are the same")
    else:
        low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        interval = (float(low), float(high))
    return Mean(mean_of(table), interval, samples, raters, len(scores))


def _drawn(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Means of draws x models. NaN where a draw has nothing of a model."""
    samples, raters = tables[0].shape
    random = np.random.default_rng(SEED)
    parts = []
    for _ in range(0, DRAWS, _AT_ONCE):
        of_samples = random.multinomial(samples, np.full(samples, 1 / samples), size=_AT_ONCE).astype(float)
        of_raters = random.multinomial(raters, np.full(raters, 1 / raters), size=_AT_ONCE).astype(float)
        parts.append(np.column_stack([_weighted(table, of_samples, of_raters) for table in tables]))
    return np.concatenate(parts)


def _weighted(table: np.ndarray, of_samples: np.ndarray, of_raters: np.ndarray) -> np.ndarray:
    there = ~np.isnan(table)
    filled = np.where(there, table, 0.0)
    weight = of_raters @ there.T
    means = np.divide(of_raters @ filled.T, weight, out=np.zeros_like(weight), where=weight > 0)
    counted = of_samples * (weight > 0)
    total = counted.sum(axis=1)
    none = np.full(len(total), np.nan)
    return np.asarray(np.divide((counted * means).sum(axis=1), total, out=none, where=total > 0))


def _ranks(means: Mapping[str, Mean], drawn: np.ndarray) -> dict[str, tuple[int, int] | Undefined]:
    models = list(means)
    if len(models) < 2:
        return dict.fromkeys(models, Undefined("nothing to be compared with"))
    found: dict[str, tuple[int, int] | Undefined] = dict.fromkeys(models, Undefined("one sample"))
    # What was seen on one sample only would look certain, and is not compared.
    places = [place for place, model in enumerate(models) if means[model].samples > 1]
    for mine in places:
        better = worse = 0
        for other in places:
            difference = drawn[:, other] - drawn[:, mine]
            if other == mine or np.isnan(difference).all():
                continue
            low, high = np.nanquantile(difference, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            better += bool(low > 0)
            worse += bool(high < 0)
        found[models[mine]] = (1 + better, len(places) - worse)
    return found
