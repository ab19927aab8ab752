"""Two pictures compared over an area."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import cut

from inpaint_benchmark.metrics.areas import box_of, difference, pieces
from inpaint_benchmark.metrics.colour import delta_e_sum
from inpaint_benchmark.metrics.metric import Reason, Value
from inpaint_benchmark.metrics.similarity import ssim_sum

_CHANNELS, _WHITE = 3, 255


@dataclass(slots=True)
class Comparison:
    """How two pictures differ, over one or more windows: all their pixels count alike.

    MSE is over pixels *and* channels. The published evaluation of BrushNet (`evaluate_brushnet.py`) divides the squares
    of three channels by the number of pixels: its MSE is three times, its PSNR 10 log10(3) = 4.77 dB off, so that its
    figures are not comparable with these.
    """

    pixels: int = 0
    changed: int = 0
    squares: int = 0
    highest: int = 0
    delta_e: float = 0.0
    ssim: float = 0.0
    ssim_pixels: int = 0

    def add(self, a: Pixels, b: Pixels, where: Region, middles: Region) -> None:
        """One window: pixels `where`, and those among them that SSIM is averaged over (`middles`)."""
        box = box_of(where)
        if box is None:
            return
        for piece in pieces(box):
            self._add_pixels(a[cut(piece)], b[cut(piece)], where[cut(piece)])
        total, count = ssim_sum(a, b, middles)
        self.ssim += total
        self.ssim_pixels += count

    def _add_pixels(self, a: Pixels, b: Pixels, where: Region) -> None:
        steps, differs = difference(a, b)
        changed = differs & where
        self.pixels += int(np.count_nonzero(where))
        if not changed.any():
            return
        steps = steps[changed]
        self.changed += len(steps)
        self.squares += int(np.square(steps, dtype=np.uint16).sum(dtype=np.int64))
        self.highest = max(self.highest, int(steps.max()))
        self.delta_e += delta_e_sum(a[changed], b[changed])

    def values(self, empty: Reason) -> dict[str, Value]:
        """exact, mse, psnr, ssim, max_difference, changed_share, delta_e; all None for `empty` if no pixel counted."""
        names = ("exact", "mse", "psnr", "ssim", "max_difference", "changed_share", "delta_e")
        if not self.pixels:
            return dict.fromkeys(names, Value.none(empty))
        mse = self.squares / (self.pixels * _CHANNELS)
        return {
            "exact": Value(float(not self.changed)),
            "mse": Value(mse),
            "psnr": Value(10 * math.log10(_WHITE**2 / mse)) if mse else Value.none(Reason.IDENTICAL),
            "ssim": Value(self.ssim / self.ssim_pixels) if self.ssim_pixels else Value.none(Reason.REGION_TOO_SMALL),
            "max_difference": Value(float(self.highest)),
            "changed_share": Value(self.changed / self.pixels),
            "delta_e": Value(self.delta_e / self.pixels),
        }
