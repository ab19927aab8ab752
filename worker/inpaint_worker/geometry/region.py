"""The edit region: the pixels that a job may change, and how much of the new content goes into each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from inpaint_core.edit import Box, EditOptions
from inpaint_core.errors import FullMask

from inpaint_worker.arrays import FULL_WEIGHT, Pixels, Region, Weights

#: Distances are float32 roots: 5 px may come out as 5.0000005. Up to 1,024 px, distances that differ do so by more.
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class EditRegion:
    """What may change. All else is preserved bit for bit."""

    #: H x W of the source.
    marked: Region
    #: The smallest box around it.
    box: Box
    #: Of the box: 0 outside the region, never 0 inside. None: everything goes in everywhere.
    weights: Weights | None
    #: Pixels that the new content fades in over: what was asked for, or less where the region is not so deep.
    feather: float = 0

    @property
    def pixels(self) -> int:
        """How many pixels may change."""
        return int(np.count_nonzero(self.marked))


def make_region(mask: Pixels, edit: EditOptions) -> EditRegion:
    """The edit region of a mask (H x W, uint8, 0 or 255) under the options `fill_holes`, `grow` and `feather`.

    `FullMask` if nothing would be preserved.
    """
    marked = mask > 0
    if edit.fill_holes:
        _fill_holes(marked)
    if edit.grow:
        _grow(marked, edit.grow)
    if marked.all():
        how = "its holes were filled" if edit.fill_holes else ""
        if edit.grow:
            how += f"{' and ' if how else ''}it was grown by {edit.grow:g} pixels"
        raise FullMask(
            f"The edit region is the whole picture{' after ' if how else ''}{how}, so that nothing would be left of "
            "it. Mark less.",
            grow=edit.grow,
        )
    box = bounding_box(marked)
    if not edit.feather:
        return EditRegion(marked, box, None)
    return EditRegion(marked, box, *_weights(marked, box, edit.feather))


def bounding_box(marked: Region) -> Box:
    """The smallest box around what is marked; something must be."""
    left, top, width, height = cv2.boundingRect(marked.view(np.uint8))
    return Box(left, top, left + width, top + height)


def around(box: Box, pixels: float, marked: Region) -> Box:
    """The box with a margin, as far as the picture goes."""
    margin = math.ceil(pixels)
    wider = Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
    return wider & Box(0, 0, marked.shape[1], marked.shape[0])


def cut(box: Box) -> tuple[slice, slice]:
    """The box as an index of arrays."""
    return slice(box.top, box.bottom), slice(box.left, box.right)


def _fill_holes(marked: Region) -> None:
    """Mark what cannot be left without crossing the marked area, of which a diagonal line is crossed by nothing."""
    area = cut(bounding_box(marked))
    # One more pixel on each side, so that everything outside hangs together.
    outside = np.pad(marked[area].view(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 2, flags=4)
    marked[area] = outside[1:-1, 1:-1] != 2


def _grow(marked: Region, pixels: float) -> None:
    """Mark all whose distance from a marked pixel, middle to middle, is at most `pixels`."""
    area = cut(around(bounding_box(marked), pixels, marked))
    distance = cv2.distanceTransform((~marked[area]).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    marked[area] = distance <= pixels + _TOLERANCE


def _weights(marked: Region, box: Box, pixels: float) -> tuple[Weights, float]:
    """Rising from the border inwards: a pixel n from the nearest preserved one gets n / (pixels + 1), at most 1.

    The border of the picture is none of the region: there is nothing beyond it to blend with. A feather that the
    region is not deep enough for is shortened, so that its middle is new: else a thin region would not change at all.
    """
    wider = around(box, 1, marked)
    distance = cv2.distanceTransform(marked[cut(wider)].view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inner = distance[cut(box.moved(-wider.left, -wider.top))]
    pixels = min(pixels, float(inner.max()) - 1)
    share = np.minimum(inner / np.float32(pixels + 1), 1)
    return np.asarray(np.rint(share * np.float32(FULL_WEIGHT)), np.uint16), pixels
