"""Whether the border of the edit region can be seen."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import around, cut

from inpaint_benchmark.metrics.areas import bits, box_of
from inpaint_benchmark.metrics.metric import Reason, Value

#: Width of the rings, pixels.
RING = 8
#: Levels, added to both steps: below one level they are the rounding of the picture, of which no ratio is made.
FLOOR = 1.0


def seam_ratio(delivered: Pixels, region: Region) -> Value:
    """(step across the border + 1) / (step around + 1), in levels; 1: the border is like what is around it.

    A step is the mean difference of red, green and blue between two neighbours (above or beside each other). Across:
    one is in the region, the other not. Around: the mean of two rings, 8 pixels wide, just inside and just outside;
    one alone if the other has no neighbours. Flat pictures have a value too, by the one level that is added.

    `delivered` is H x W x 3, uint8; `region` H x W, bool.
    """
    box = box_of(region)
    if box is None:
        return Value.none(Reason.NOTHING_INSIDE)
    if region.all():
        return Value.none(Reason.NOTHING_OUTSIDE)
    area = cut(around(box, RING, region))
    picture, inside = delivered[area], region[area]
    rings = [side & (_distance(side) <= RING) for side in (inside, ~inside)]
    across = _Mean()
    around_it = [_Mean(), _Mean()]
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        across.add(picture[a], picture[b], inside[a] != inside[b])
        for mean, ring in zip(around_it, rings, strict=True):
            mean.add(picture[a], picture[b], ring[a] & ring[b])
    found = [mean.total / mean.count for mean in around_it if mean.count]
    if not found:
        return Value.none(Reason.REGION_TOO_SMALL)
    return Value((across.total / across.count + FLOOR) / (sum(found) / len(found) + FLOOR))


class _Mean:
    """The mean step over pairs of neighbours."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, a: Pixels, b: Pixels, pairs: Region) -> None:
        if pairs.any():
            steps = cv2.absdiff(a[pairs], b[pairs])
            self.total += float(steps.sum(dtype=np.int64)) / 3
            self.count += len(steps)


def _distance(side: Region) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Of each pixel on this side to the nearest on the other."""
    return np.asarray(cv2.distanceTransform(bits(side), cv2.DIST_L2, 5), np.float32)
