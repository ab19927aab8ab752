"""How alike the results of several trials are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from inpaint_worker.arrays import Pixels, Region

from inpaint_benchmark.metrics.comparison import Comparison
from inpaint_benchmark.metrics.metric import Reason, Value
from inpaint_benchmark.metrics.pictures import check_mask, check_picture


def measure_trials(delivered: Sequence[Pixels], region: Region, seeds: Sequence[int | None]) -> dict[str, Value]:
    """Every metric whose scope is "trials", by name: over all pairs of results, inside the edit region.

    `delivered`: H x W x 3, uint8, all of one size; `region`: H x W, bool; `seeds`: one for each result, None if it is
    not known. Equal seeds are identical only if the whole pictures are, bit for bit. `ValueError` for pictures, a
    region or seeds that do not go together.
    """
    check_trials(delivered, region)
    if len(seeds) != len(delivered):
        raise ValueError(f"There are {len(delivered)} results and {len(seeds)} seeds; give None for one not known")
    return {
        f"trials_{name}": value for name, value in (_alike(delivered, region) | _same_seed(delivered, seeds)).items()
    }


def check_trials(delivered: Sequence[Pixels], region: Region) -> None:
    """`ValueError` unless all pictures are H x W x 3, uint8, of the region's size."""
    height, width = region.shape
    check_mask("region", region, (height, width))
    for i, picture in enumerate(delivered):
        check_picture(f"delivered[{i}]", picture, (height, width))


def _alike(delivered: Sequence[Pixels], region: Region) -> dict[str, Value]:
    pairs = list(combinations(delivered, 2))
    if not pairs or not region.any():
        reason = Reason.NOTHING_INSIDE if pairs else Reason.ONE_TRIAL
        return dict.fromkeys(("delta_e_mean", "delta_e_worst", "ssim_mean", "ssim_worst"), Value.none(reason))
    colours, ssims = [], []
    for a, b in pairs:
        found = Comparison()
        found.add(a, b, region, region)
        values = found.values(Reason.NOTHING_INSIDE)
        colours.append(values["delta_e"])
        ssims.append(values["ssim"])
    return {
        "delta_e_mean": _mean(colours),
        "delta_e_worst": max(colours, key=_number),
        "ssim_mean": _mean(ssims),
        "ssim_worst": min(ssims, key=_number),
    }


def _mean(values: list[Value]) -> Value:
    """Their mean; if they have none, they have the same reason, as all pairs are of one size and region."""
    return Value(sum(map(_number, values)) / len(values)) if values[0].value is not None else values[0]


def _number(value: Value) -> float:
    return value.value or 0.0


def _same_seed(delivered: Sequence[Pixels], seeds: Sequence[int | None]) -> dict[str, Value]:
    """Whether all pairs of equal seeds are the same picture."""
    results = list(zip(seeds, delivered, strict=True))
    equal = [(a, b) for (one, a), (other, b) in combinations(results, 2) if one is not None and one == other]
    if not equal:
        reason = Reason.NO_EQUAL_SEEDS if len(results) > 1 else Reason.ONE_TRIAL
        return {"same_seed_identical": Value.none(reason)}
    return {"same_seed_identical": Value(float(all(np.array_equal(a, b) for a, b in equal)))}
