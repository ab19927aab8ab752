"""SSIM over an area."""

from __future__ import annotations

import numpy as np
from inpaint_core.edit import Box
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import around, cut
from skimage.metrics import structural_similarity

from inpaint_benchmark.metrics.areas import box_of, difference, pieces

#: Side of the Gaussian window: sigma 1.5, cut off at 3.5 sigma.
WINDOW = 11
_REACH = WINDOW // 2


def ssim_sum(a: Pixels, b: Pixels, where: Region) -> tuple[float, int]:
    """Sum of the SSIM map over the pixels `where`, and their number: 0 if the picture is smaller than a window.

    Z. Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 13(4), 2004: a
    Gaussian window of 11 x 11 and sigma 1.5, K1 0.01, K2 0.03, population statistics, 255 levels; the mean of the maps
    of red, green and blue, as scikit-image has it (the paper takes brightness alone). Where a window ends at the border
    of the picture, the picture is mirrored.

    `a` and `b` are H x W x 3, uint8; `where` is H x W, bool. The map is 1 where a window sees no difference, so that it
    is computed around differences only, in float32, which is right to about 1e-4.
    """
    box = box_of(where)
    if box is None or min(where.shape) < WINDOW:
        return 0.0, 0
    count = int(np.count_nonzero(where))
    total = float(count)
    changed = _changed(a, b, around(box, _REACH, where))
    for piece in pieces(around(changed, _REACH, where) & box) if changed else ():
        wanted = where[cut(piece)]
        if wanted.any():
            total -= float(np.sum(1 - _ssim_map(a, b, piece)[wanted], dtype=np.float64))
    return total, count


def _changed(a: Pixels, b: Pixels, within: Box) -> Box | None:
    """The smallest box around what differs."""
    area = cut(within)
    box = box_of(difference(a[area], b[area])[1])
    return box.moved(within.left, within.top) if box else None


def _ssim_map(a: Pixels, b: Pixels, piece: Box) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The map of a piece of the pictures, H x W of the piece."""
    # Twice the reach: a piece of one row at the edge of the picture still makes a whole window.
    wider = around(piece, 2 * _REACH, np.empty(a.shape[:2], np.bool_))
    x, y = (picture[cut(wider)].astype(np.float32) for picture in (a, b))
    _, found = structural_similarity(  # type: ignore[no-untyped-call]
        x,
        y,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
        full=True,
    )
    inner = found[cut(piece.moved(-wider.left, -wider.top))]
    return np.asarray(inner.mean(axis=2), np.float32)
