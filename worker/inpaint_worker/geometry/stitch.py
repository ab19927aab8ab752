"""Putting new content into a picture: in its own depth, and nowhere but in the edit region."""

from __future__ import annotations

import numpy as np

from inpaint_worker.arrays import FULL_WEIGHT, Region, Samples, Weights


def put_in(picture: Samples, new: Samples, marked: Region, weights: Weights | None) -> None:
    """Blend `new` into `picture` where `marked`, in place. All have one height and width; depths are equal.

    Without `weights` what is marked is replaced. Pixels that are not marked keep their bits.
    """
    whole = marked if weights is None else marked & (weights == FULL_WEIGHT)
    # Many times faster than picture[whole] = new[whole], which gathers the pixels first.
    np.copyto(picture, new, where=whole if picture.ndim == 2 else whole[..., None])
    if weights is not None:
        band = marked & (weights < FULL_WEIGHT)
        picture[band] = _blended(picture[band], new[band], weights[band])


def _blended(old: Samples, new: Samples, weights: Weights) -> Samples:
    """(1 - w) old + w new, rounded to the nearest. 65535 times 65535 and a half still fits 32 bits."""
    share = weights.astype(np.uint32)
    if old.ndim == 2:
        share = share[:, None]
    mixed = old * (np.uint32(FULL_WEIGHT) - share) + new * share
    return np.asarray((mixed + np.uint32(FULL_WEIGHT // 2)) // np.uint32(FULL_WEIGHT), old.dtype)
