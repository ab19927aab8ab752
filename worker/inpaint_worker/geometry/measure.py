"""What a model did outside of its mask, and how well what it painted sits in the picture.

Levels are 8-bit ones, 0 to 255, whatever the depth of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inpaint_worker.arrays import Pixels, Region, Samples
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.fit import Window
from inpaint_worker.geometry.region import EditRegion, around, cut

#: How far from the border the surroundings are looked at, that a seam is measured by.
_RING_PX = 8


@dataclass(slots=True)
class RawDifference:
    """How the raw output of a model differs from its input outside the mask, over all windows of a job."""

    pixels: int = 0
    changed: int = 0
    total: float = 0.0
    highest: int | None = None

    def add(self, given: Pixels, returned: Pixels, mask: Region, window: Window) -> None:
        """One window, in the model's size; its padding does not count."""
        width, height = window.content
        outside = (~mask[:height, :width]).view(np.uint8)
        pixels = cv2.countNonZero(outside)
        if not pixels:
            return
        difference = cv2.absdiff(given[:height, :width], returned[:height, :width])
        red, green, blue = cv2.split(difference)
        largest = cv2.multiply(cv2.max(cv2.max(red, green), blue), outside)
        self.pixels += pixels
        self.changed += cv2.countNonZero(largest)
        self.total += sum(cv2.mean(difference, mask=outside)[:3]) / 3 * pixels
        self.highest = max(self.highest or 0, int(largest.max()))

    @property
    def mean(self) -> float | None:
        """Levels; None if no pixel lay outside."""
        return self.total / self.pixels if self.pixels else None

    @property
    def changed_share(self) -> float | None:
        """0 to 1; None if no pixel lay outside."""
        return self.changed / self.pixels if self.pixels else None


@dataclass(frozen=True, slots=True)
class Fitting:
    """How the edit region looks in the result."""

    #: Mean change of the edit region, levels; near 0: nothing was done.
    inside_change_mean: float
    #: Standard deviation of its brightness, levels; near 0: it is blank.
    inside_deviation: float
    #: Mean step of brightness between neighbours across the border, levels. None: the picture ends there.
    seam_step: float | None
    #: The same just outside the border, within 8 pixels of it: what the picture does anyway.
    ring_step: float | None


def measure_fitting(source: Samples, result: Samples, region: EditRegion) -> Fitting:
    """Compare result and source (H x W x 3, one depth) in and around the edit region."""
    area = cut(around(region.box, _RING_PX + 1, region.marked))
    marked = region.marked[area]
    after = to_eight_bits(result[area])
    change = cv2.absdiff(to_eight_bits(source[area]), after)
    bright = np.asarray(cv2.cvtColor(after, cv2.COLOR_RGB2GRAY), np.uint8)
    mask = marked.view(np.uint8)
    _, deviation = cv2.meanStdDev(bright, mask=mask)
    near = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3) <= _RING_PX
    seam, ring = _steps(bright, marked, near & ~marked)
    return Fitting(float(np.mean(cv2.mean(change, mask=mask)[:3])), float(deviation[0, 0]), seam, ring)


def _steps(bright: Pixels, marked: Region, ring: Region) -> tuple[float | None, float | None]:
    """Mean steps between neighbours: across the border of what is marked, and within the ring."""
    sums, counts = np.zeros(2), np.zeros(2, np.int64)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        step = cv2.absdiff(bright[a], bright[b]) if bright[a].size else bright[a]
        for i, pairs in enumerate((marked[a] != marked[b], ring[a] & ring[b])):
            counts[i] += np.count_nonzero(pairs)
            sums[i] += float(step[pairs].sum(dtype=np.float64))
    seam, ring_mean = (float(total / count) if count else None for total, count in zip(sums, counts, strict=True))
    return seam, ring_mean
