"""From values to places on a sheet, and where an axis has its marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Values further apart than this are drawn by their logarithm: else all but the largest would lie at the edge.
_LOGARITHMIC_FROM = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` lie between the places `begin` and `end`."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies."""
        low, high, value = (
            (math.log10(each) for each in (self.low, self.high, value))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)

    def marks(self, about: int = 5) -> list[tuple[float, str]]:
        """Round values with their texts, as many digits as tell them apart."""
        found = self.ticks(about)
        steps = [b - a for a, b in pairwise(found)]
        digits = max(0, -math.floor(math.log10(min(steps)) + 1e-9)) if steps and not self.logarithmic else None
        return [(tick, f"{tick:,.{digits}f}" if digits is not None else f"{tick:,.10g}") for tick in found]

    def ticks(self, about: int = 5) -> list[float]:
        """Round values between `low` and `high`."""
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1, 2, 5) if last - first <= 3 else (1,)
            every = [factor * 10.0**power for power in range(first, last + 1) for factor in steps]
        else:
            step = _round_step((self.high - self.low) / about)
            first = math.ceil(self.low / step - 1e-9)
            every = [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [tick for tick in every if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]


def scale_for(values: Sequence[float], begin: float, end: float, *, from_zero: bool = False) -> Scale:
    """A scale that holds all values, with a little room around them."""
    low, high = min(values), max(values)
    if from_zero:
        return Scale(0, high * 1.02 if high > 0 else 1, begin, end)
    if low > 0 and high / low > _LOGARITHMIC_FROM:
        return Scale(low / 1.6, high * 1.6, begin, end, logarithmic=True)
    room = (high - low) * 0.12 or abs(high) * 0.2 or 1
    return Scale(low - room if low - room > 0 or low <= 0 else 0, high + room, begin, end)


def _round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
