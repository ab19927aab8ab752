"""Which model is preferred: Bradley-Terry strengths from comparisons within a sample.

Raters differ in how they use stars, and samples in how hard they are. Neither matters to who does better on the same
sample in the eyes of the same rater. R. A. Bradley and M. E. Terry, Rank analysis of incomplete block designs,
Biometrika 39, 1952; a tie is half a win for both. A best fit exists only if each model can be reached from each other
one by a chain of wins (L. R. Ford, Solution of a ranking problem from binary comparisons, 1957).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import choix
import numpy as np

from inpaint_benchmark.ratings.scores import Score, Undefined, cells


@dataclass(frozen=True, slots=True)
class Preference:
    """How a model fared. `strength`: logarithm, 0 on the average of models; one more is e : 1 in favour."""

    wins: int
    ties: int
    losses: int
    strength: float | Undefined


def preferences(scores: Sequence[Score]) -> dict[str, Preference]:
    """By model, from the mean stars that each rater gave to each model on each sample, by one criterion."""
    models = sorted({score.model for score in scores})
    samples, raters = sorted({s.sample for s in scores}), sorted({s.rater for s in scores})
    tables = [cells([s for s in scores if s.model == model], samples, raters) for model in models]
    wins = np.zeros((len(models), len(models)), int)
    ties = np.zeros_like(wins)
    for one, other in combinations(range(len(models)), 2):
        # NaN, where one of them was not rated, is neither more nor less.
        wins[one, other] = (tables[one] > tables[other]).sum()
        wins[other, one] = (tables[other] > tables[one]).sum()
        ties[one, other] = ties[other, one] = (tables[one] == tables[other]).sum()
    strengths = _strengths(2 * wins + ties)
    return {
        model: Preference(
            int(wins[place].sum()), int(ties[place].sum()), int(wins[:, place].sum()),
            strengths if isinstance(strengths, Undefined) else float(strengths[place]),
        )
        for place, model in enumerate(models)
    }  # fmt: skip


def _strengths(halves: np.ndarray) -> np.ndarray | Undefined:
    """From half wins of rows over columns."""
    count = len(halves)
    if count < 2:
        return Undefined("nothing to be compared with")
    if not halves.any():
        return Undefined("no two models were rated on one sample by one rater")
    reached = (halves > 0) | np.eye(count, dtype=bool)
    for _ in range(count.bit_length()):  # each time chains of twice the length
        reached = reached @ reached
    if not reached.all():
        return Undefined("some models win against others every time, or were never compared with them")
    pairs = [
        (one, other)
        for one in range(count)
        for other in range(count)
        for _ in range(halves[one, other])
    ]  # fmt: skip
    found = choix.ilsr_pairwise(count, pairs, max_iter=1_000)
    return np.asarray(found - found.mean())
