"""Where the results of several trials differ, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import cut

from inpaint_benchmark.metrics.areas import box_of, pieces
from inpaint_benchmark.metrics.trials import check_trials

#: The deviation that is drawn brightest, levels. It is the same for all, so that models can be compared by eye.
DEVIATION_WHITE = 64
#: No colour of the map is grey: what lies outside the region is not taken for a value.
OUTSIDE = 128


def deviation_picture(delivered: Sequence[Pixels], region: Region) -> Pixels:
    """The standard deviation of each pixel over the trials, H x W x 3, uint8, in the colours of matplotlib's inferno.

    The population's deviation of each channel, the root of the mean of their squares, from 0 (black) to 64 levels and
    more (light yellow); the map is perceptually uniform: equal steps of deviation look equal. Outside the edit region
    all is middle grey. `ValueError` for fewer than two results, or sizes that do not go together.
    """
    check_trials(delivered, region)
    if len(delivered) < 2:
        raise ValueError(f"A deviation needs two results; there is {len(delivered)}")
    picture = np.full((*region.shape, 3), OUTSIDE, np.uint8)
    box = box_of(region)
    for piece in pieces(box) if box else ():
        area = cut(piece)
        levels = _deviation([trial[area] for trial in delivered])
        scaled = np.rint(np.minimum(levels / DEVIATION_WHITE, 1) * 255).astype(np.uint8)
        drawn = cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        marked = region[area]
        picture[area][marked] = drawn[marked]
    return picture


def _deviation(trials: Sequence[Pixels]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """H x W, levels. Two passes: the difference of sums of squares would lose small deviations in float32."""
    mean = np.zeros(trials[0].shape, np.float32)
    for trial in trials:
        mean += trial
    mean /= len(trials)
    squares = np.zeros(trials[0].shape[:2], np.float32)
    for trial in trials:
        squares += np.square(trial - mean).mean(axis=2)
    return np.asarray(np.sqrt(squares / len(trials)), np.float32)
