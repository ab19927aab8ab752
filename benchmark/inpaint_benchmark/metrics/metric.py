"""What a metric is, and what it can answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Direction = Literal["higher", "lower", "none"]
#: One result, or several of the same sample and model.
Scope = Literal["output", "trials"]


class Reason(StrEnum):
    """Why a metric has no value."""

    IDENTICAL = "identical"
    """The pictures are the same, so that the number is infinite."""
    NO_GROUND_TRUTH = "no_ground_truth"
    NO_OBJECT_MASK = "no_object_mask"
    NO_EFFECT_MASK = "no_effect_mask"
    NO_RAW_OUTPUT = "no_raw_output"
    """What the model returned was not kept."""
    NO_PROMPT = "no_prompt"
    EMPTY_MASK = "empty_mask"
    """The object or effect mask marks nothing."""
    NOTHING_INSIDE = "nothing_inside"
    """The edit region is empty."""
    NOTHING_OUTSIDE = "nothing_outside"
    """The edit region, or the mask that the model was shown, is the whole picture."""
    REGION_TOO_SMALL = "region_too_small"
    """The area that is looked at holds no whole window of the metric, or too few pixels."""
    FLAT_OUTSIDE = "flat_outside"
    """Nothing outside has any detail to compare with."""
    ONE_TRIAL = "one_trial"
    """There is no second result to compare with."""
    NO_EQUAL_SEEDS = "no_equal_seeds"
    """No two trials had the same seed."""
    IS_EXACT = "is_exact"
    """Nothing was left out of it for speed, so that there is no loss."""
    NO_EXACT_TRIAL = "no_exact_trial"
    """The same was not made in the tier exact yet: the same version of the model, sample, seed and options."""
    PACKAGE_MISSING = "package_missing"
    """The extra `metrics` is not installed, or cannot be imported."""
    WEIGHTS_UNAVAILABLE = "weights_unavailable"
    """The weights of the metric's network are not on this machine."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a metric answered: a finite number, or the reason why there is none."""

    value: float | None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"A value or the reason why there is none, one of both: {self.value!r}, {self.reason!r}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is no value of a metric; give the reason why there is none")

    @classmethod
    def none(cls, reason: Reason) -> Value:
        """No value, for this reason."""
        return cls(None, reason)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number means."""

    name: str
    #: levels (0 to 255), levels², dB, ΔE00, share (0 to 1), ratio, SSIM (-1 to 1), flag (0 or 1), LPIPS (from 0 on),
    #: points (0 to 100).
    unit: str
    #: Which way is better; "none" where neither is, or only a middle is good.
    direction: Direction
    scope: Scope
    #: One sentence.
    description: str
    #: Raised when the implementation's numbers change: numbers of two versions are not comparable.
    version: int = 1
