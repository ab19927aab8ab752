"""Where the differences between stars come from: samples, trials, raters, or none of these.

Stars of a model = its mean + what is of the sample + what is of the trial + what is of the rater + the rest. The
variances of the four are found by equating quadratic forms with their expectations, for data with holes as well:
MIVQUE(0), L. R. LaMotte, Quadratic estimation of variance components, Biometrics 29, 1973. For complete data it is the
analysis of variance. A negative estimate is a variance too small to be seen, and counts as 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from inpaint_benchmark.ratings.scores import Score, Undefined
from inpaint_benchmark.report.statistics import SEED

#: Ratings at most, so that it takes seconds. Of more, whole samples are drawn, with all that anybody said of them.
MAX_RATINGS = 5_000


@dataclass(frozen=True, slots=True)
class Split:
    """Variances, stars squared. What cannot be told apart is undefined, and is part of another's."""

    samples: float | Undefined
    trials: float | Undefined
    raters: float | Undefined
    #: What is left: the mood of the moment, and how raters differ about single results.
    rest: float | Undefined
    #: How many ratings it was worked out from, and how many there are.
    used: int
    ratings: int


def split_variance(scores: Sequence[Score]) -> Split:
    """The variances of stars by one criterion, around the means of models."""
    used = _thinned(scores)
    samples, trials, raters, rest = _split(used)
    return Split(samples, trials, raters, rest, len(used), len(scores))


def _thinned(scores: Sequence[Score]) -> list[Score]:
    """At most `MAX_RATINGS`, of whole samples: the first that were given would be those of the first raters."""
    if len(scores) <= MAX_RATINGS:
        return list(scores)
    sizes = Counter(score.sample for score in scores)
    names = sorted(sizes)
    kept, count = set[str](), 0
    for place in np.random.default_rng(SEED).permutation(len(names)):
        # One that is too large is left out, so that smaller ones after it still find room.
        if count + sizes[names[place]] <= MAX_RATINGS:
            kept.add(names[place])
            count += sizes[names[place]]
    return [score for score in scores if score.sample in kept]


def _split(used: Sequence[Score]) -> list[float | Undefined]:
    if len(used) < 2:
        return [Undefined("too few ratings")] * 4
    stars, models = np.array([score.stars for score in used], float), _codes([score.model for score in used])
    around = stars - (np.bincount(models, stars) / np.bincount(models))[models]
    if np.allclose(around, 0):
        return [Undefined("no variance")] * 4
    factors: dict[str, list[Hashable]] = {
        "samples": [(score.model, score.sample) for score in used],
        "trials": [(score.model, score.sample, score.unit) for score in used],
        "raters": [score.rater for score in used],
    }
    undefined = _undefined(factors, len(used), models.max() + 1)
    kept = {name: _codes(levels) for name, levels in factors.items() if name not in undefined}
    variances = _solve(around, models, list(kept.values()))
    if variances is None:
        return [Undefined("they cannot be told apart: too few things were rated by several")] * 4
    found: dict[str, float | Undefined] = {name: Undefined(reason) for name, reason in undefined.items()}
    found |= {name: max(0.0, float(v)) for name, v in zip((*kept, "rest"), variances, strict=True)}
    return [found[name] for name in ("samples", "trials", "raters", "rest")]


def _undefined(factors: dict[str, list[Hashable]], ratings: int, models: int) -> dict[str, str]:
    levels = {name: len(set(values)) for name, values in factors.items()}
    found: dict[str, str] = {}
    if levels["samples"] == models:
        found["samples"] = "one sample of each model"
    elif levels["samples"] == ratings:
        found["samples"] = "each sample was rated once"
    if levels["trials"] == levels["samples"]:
        found["trials"] = "one trial of each sample"
    elif levels["trials"] == ratings:
        found["trials"] = "each result was rated once"
    if levels["raters"] < 2:
        found["raters"] = "one rater"
    return found


def _codes(levels: Sequence[Hashable]) -> np.ndarray:
    """Levels as numbers from 0."""
    places = {level: place for place, level in enumerate(dict.fromkeys(levels))}
    return np.array([places[level] for level in levels])


def _counts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many ratings are of each level of one factor and each of another."""
    shape = one.max() + 1, other.max() + 1
    return np.bincount(one * shape[1] + other, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def _solve(around: np.ndarray, models: np.ndarray, factors: Sequence[np.ndarray]) -> np.ndarray | None:
    # With Z the ratings x levels of a factor and P what takes the means of models out, the expectations are made of
    # |Z' P Z|^2, and for the rest of tr(Z' P Z) and tr(P). Z' P Z is a table of counts, less what is of the models.
    of_models = [_counts(factor, models) for factor in factors]
    sizes = np.bincount(models)
    count = len(factors) + 1
    expected, observed = np.zeros((count, count)), np.zeros(count)
    for one, first in enumerate(factors):
        observed[one] = (np.bincount(first, around) ** 2).sum()
        for other, second in enumerate(factors[: one + 1]):
            table = _counts(first, second) - (of_models[one] / sizes) @ of_models[other].T
            expected[one, other] = expected[other, one] = (table**2).sum()
            if one == other:
                expected[one, -1] = expected[-1, one] = np.trace(table)
    observed[-1] = around @ around
    expected[-1, -1] = len(around) - len(sizes)
    scale = np.sqrt(np.diag(expected))
    if not scale.all():
        return None
    scaled = expected / np.outer(scale, scale)
    if np.linalg.cond(scaled) > 1e6:
        return None
    return np.asarray(np.linalg.solve(scaled, observed / scale) / scale)
