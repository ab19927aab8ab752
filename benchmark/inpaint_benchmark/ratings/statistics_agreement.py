"""Krippendorff's alpha: how far raters agree, beyond what chance would give.

1: always; 0: as if stars were drawn; below: worse than that. K. Krippendorff, Computing Krippendorff's
Alpha-Reliability, 2011 (https://repository.upenn.edu/handle/20.500.14332/2089), sections C to E; stars are ordinal.
The interval is of samples drawn anew with all that was said of them, after A. F. Hayes and K. Krippendorff, Answering
the call for a standard reliability measure for coding data, 2007. He asks for 0.8, and for 0.667 at the very least.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inpaint_benchmark.ratings.scores import Score, Undefined
from inpaint_benchmark.report.statistics import LEVEL, SEED

Level = Literal["nominal", "ordinal", "interval", "ratio"]
_DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Alpha:
    """Agreement. `units`: how many things at least two have rated; `values`: all stars of those."""

    value: float
    interval: tuple[float, float] | Undefined
    units: int
    values: int


def alpha(units: Sequence[Sequence[float]], level: Level = "ordinal") -> float | Undefined:
    """Alpha over the values that each unit got, from however many raters. Units with one value tell nothing."""
    return _alpha(*_coincidences(units), level)


def agreement(scores: Sequence[Score], level: Level = "ordinal") -> Alpha | Undefined:
    """Alpha between raters by one criterion. Where one rated a thing more than once, their mean would be no star that
    anybody gave, so the first counts, as in `bench.agreement`.
    """
    first: dict[tuple[str, str], dict[str, float]] = {}
    for score in scores:
        first.setdefault((score.sample, score.unit), {}).setdefault(score.rater, score.stars)
    return alpha_by_sample({key: list(values.values()) for key, values in first.items()}, level)


def alpha_by_sample(
    units: Mapping[tuple[Hashable, Hashable], Sequence[float]], level: Level = "ordinal"
) -> Alpha | Undefined:
    """Alpha over units by (sample, unit), with an interval over samples."""
    paired = {key: values for key, values in units.items() if len(values) > 1}
    if not paired:
        return Undefined("nothing was rated twice")
    whole, values = _coincidences(list(paired.values()))
    found = _alpha(whole, values, level)
    if isinstance(found, Undefined):
        return found
    by_sample: dict[Hashable, list[Sequence[float]]] = {}
    for (sample, _), given in paired.items():
        by_sample.setdefault(sample, []).append(given)
    tables = np.array([_coincidences(given, values)[0] for given in by_sample.values()])
    return Alpha(found, _interval(tables, values, level), len(paired), sum(map(len, paired.values())))


def _interval(tables: np.ndarray, values: np.ndarray, level: Level) -> tuple[float, float] | Undefined:
    count = len(tables)
    if count < 2:
        return Undefined("one sample")
    random = np.random.default_rng(SEED)
    weights = random.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    drawn = [_alpha(np.tensordot(weight, tables, 1), values, level) for weight in weights]
    # A draw without variance has no alpha. Where many have none, the others tell only half of it.
    numbers = [each for each in drawn if not isinstance(each, Undefined)]
    if len(numbers) < LEVEL * _DRAWS:
        return Undefined("hardly any variance")
    low, high = np.quantile(numbers, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _coincidences(units: Sequence[Sequence[float]], values: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How often each value meets each other one within a unit, and which values there are."""
    paired = [unit for unit in units if len(unit) > 1]
    if values is None:
        values = np.unique([value for unit in paired for value in unit])
    table = np.zeros((len(values), len(values)))
    for unit in paired:
        counts = np.bincount(np.searchsorted(values, unit), minlength=len(values)).astype(float)
        table += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    return table, values


def _alpha(table: np.ndarray, values: np.ndarray, level: Level) -> float | Undefined:
    marginals = table.sum(axis=1)
    total = marginals.sum()
    if total < 2:
        return Undefined("nothing was rated twice")
    distance = _distance(values, marginals, level)
    expected = (np.outer(marginals, marginals) * distance).sum() / (total - 1)
    if expected == 0:
        return Undefined("all stars of what was rated twice are the same")
    return float(1 - (table * distance).sum() / expected)


def _distance(values: np.ndarray, marginals: np.ndarray, level: Level) -> np.ndarray:
    """Squared difference of each two values."""
    if level == "nominal":
        return np.asarray(values[:, None] != values[None, :], float)
    if level == "ordinal":
        # Of all that lies between two values, with half of the two themselves.
        place = np.cumsum(marginals) - marginals / 2
        return np.asarray((place[:, None] - place[None, :]) ** 2)
    difference = values[:, None] - values[None, :]
    if level == "interval":
        return np.asarray(difference**2)
    total = values[:, None] + values[None, :]
    return np.asarray(np.divide(difference, total, out=np.zeros_like(difference), where=total != 0) ** 2)
