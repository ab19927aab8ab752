"""Means with confidence intervals that are honest about how many samples there are.

Trials of a sample are alike: three pictures of one sofa tell less than pictures of three. An interval over all trials,
as if they were independent, is about half as wide as it should be. So samples are drawn, and with each of them come all
of its trials: the cluster bootstrap (C. A. Field and A. H. Welsh, Bootstrapping clustered data, JRSS B 69(3), 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: So that a report that is made again says the same.
SEED = 20260
DRAWS = 4_000
LEVEL = 0.95
#: Draws at once: weights of 500 draws of 10,000 samples are 40 MB.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % interval; `low` and `high` are None if there is only one sample."""

    value: float
    low: float | None
    high: float | None
    samples: int
    trials: int

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Estimate(self.value * factor, low, high, self.samples, self.trials)


def estimate(clusters: Sequence[Sequence[float]], *, pooled: bool = False) -> Estimate | None:
    """The mean over samples, of the mean over the trials of each; None if no sample has a value.

    `clusters`: the values of each sample's trials. `pooled`: the mean over all trials instead, for what is counted by
    picture, such as seconds and dollars; a sample with more trials then counts more. The interval is of the same kind.
    """
    filled = [np.asarray(cluster, float) for cluster in clusters if len(cluster)]
    if not filled:
        return None
    sums = np.array([cluster.sum() for cluster in filled])
    counts = np.array([len(cluster) for cluster in filled], float)
    if not pooled:
        sums, counts = sums / counts, np.ones_like(counts)
    low, high = _interval(sums, counts) if len(filled) > 1 else (None, None)
    return Estimate(float(sums.sum() / counts.sum()), low, high, len(filled), sum(map(len, filled)))


def _interval(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    random = np.random.default_rng(SEED)
    share = np.full(len(sums), 1 / len(sums))
    means = []
    for _ in range(0, DRAWS, _AT_ONCE):
        weights = random.multinomial(len(sums), share, size=_AT_ONCE)
        means.append((weights @ sums) / (weights @ counts))
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
