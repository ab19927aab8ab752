"""Stars as the statistics take them, and what they return where there is nothing to be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Score:
    """Stars, 0 to 4, that a rater gave to one thing by one criterion. `unit` is what was shown: a result or a set."""

    model: str
    criterion: str
    sample: str
    unit: str
    rater: str
    stars: float


@dataclass(frozen=True, slots=True)
class Undefined:
    """No number, and why: what is not known is never made up."""

    reason: str


def of_criterion(scores: Iterable[Score], criterion: str) -> list[Score]:
    """Those by one criterion."""
    return [score for score in scores if score.criterion == criterion]


def cells(scores: Sequence[Score], samples: Sequence[str], raters: Sequence[str]) -> np.ndarray:
    """Mean stars by sample and rater over the units of the sample that the rater saw; NaN where there are none."""
    rows = {name: place for place, name in enumerate(samples)}
    columns = {name: place for place, name in enumerate(raters)}
    sums = np.zeros((len(samples), len(raters)))
    counts = np.zeros_like(sums)
    for score in scores:
        place = rows[score.sample], columns[score.rater]
        sums[place] += score.stars
        counts[place] += 1
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
