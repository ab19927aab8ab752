"""What was painted into the edit region."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import around, cut

from inpaint_benchmark.metrics.areas import bits, box_of, middles
from inpaint_benchmark.metrics.metric import Reason, Value
from inpaint_benchmark.metrics.similarity import ssim_sum

#: Levels. An area with less deviation has no visible texture.
FLAT, FLAT_WINDOW = 1.0, 7
#: Levels, in each channel. Plain walls have more; black, grey and what became of NaN have less.
BLANK = 2.0
#: Fewer pixels tell nothing about deviation.
FEWEST = 16


def measure_inside(source: Pixels, delivered: Pixels, region: Region) -> dict[str, Value]:
    """All metrics `inside_*` that need no network; pictures H x W x 3, uint8, the region H x W, bool.

    Brightness is luma of ITU-R BT.601, in levels.
    """
    names = ("flatness", "sharpness_ratio", "source_ssim", "change_mean", "blank", "deviation")
    box = box_of(region)
    if box is None:
        return {f"inside_{name}": Value.none(Reason.NOTHING_INSIDE) for name in names}
    area = cut(around(box, 1, region))
    similarity, count = ssim_sum(source, delivered, region)
    found = {
        "flatness": _flatness(delivered[area], region[area]),
        "sharpness_ratio": _sharpness(delivered, region),
        "source_ssim": Value(similarity / count) if count else Value.none(Reason.REGION_TOO_SMALL),
        "change_mean": Value(_change(source[area], delivered[area], region[area])),
        **_spread(delivered[area], region[area]),
    }
    return {f"inside_{name}": found[name] for name in names}


def _flatness(picture: Pixels, region: Region) -> Value:
    """Share of pixels whose 7 x 7 neighbours deviate by less than a level, of those whose neighbours are all inside."""
    where = middles(region, FLAT_WINDOW)
    if not where.any():
        return Value.none(Reason.REGION_TOO_SMALL)
    bright = _brightness(picture)
    window = (FLAT_WINDOW, FLAT_WINDOW)
    # Less a middle grey, squares are a quarter as large, and float32 loses less of their difference.
    centred = bright.astype(np.float32) - np.float32(128)
    variance = cv2.boxFilter(centred * centred, -1, window) - cv2.boxFilter(centred, -1, window) ** 2
    return Value(float(np.count_nonzero((variance < FLAT**2) & where) / np.count_nonzero(where)))


def _sharpness(picture: Pixels, region: Region) -> Value:
    """Variance of the Laplacian inside, divided by that outside.

    J. L. Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000. Pixels count whose four
    neighbours are on their side, so that the seam does not.
    """
    laplacian = cv2.Laplacian(_brightness(picture), cv2.CV_16S, ksize=1)
    energies = []
    for side in (region, ~region):
        where = middles(side, 3, cv2.MORPH_CROSS)
        if not where.any():
            return Value.none(Reason.NOTHING_OUTSIDE if region.all() else Reason.REGION_TOO_SMALL)
        energies.append(float(cv2.meanStdDev(laplacian, mask=bits(where))[1][0, 0]) ** 2)
    return Value(energies[0] / energies[1]) if energies[1] else Value.none(Reason.FLAT_OUTSIDE)


def _change(source: Pixels, delivered: Pixels, region: Region) -> float:
    """Mean absolute difference over pixels and channels, levels."""
    return float(np.mean(cv2.mean(cv2.absdiff(source, delivered), mask=bits(region))[:3]))


def _spread(picture: Pixels, region: Region) -> dict[str, Value]:
    """`deviation` of brightness, and `blank`: whether no channel deviates by two levels."""
    if np.count_nonzero(region) < FEWEST:
        return dict.fromkeys(("deviation", "blank"), Value.none(Reason.REGION_TOO_SMALL))
    _, channels = cv2.meanStdDev(picture, mask=bits(region))
    _, bright = cv2.meanStdDev(_brightness(picture), mask=bits(region))
    return {"deviation": Value(float(bright[0, 0])), "blank": Value(float(channels.max() < BLANK))}


def _brightness(picture: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
