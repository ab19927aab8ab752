"""A window as the model is shown it, and what it returns as a part of the source again."""

from __future__ import annotations

import cv2
import numpy as np

from inpaint_worker.arrays import Pixels, Region, Samples
from inpaint_worker.geometry.fit import Window


def shown(pixels: Pixels, window: Window) -> Pixels:
    """The pixels of a window's box (sRGB, 8 bits) in the window's size, its edges repeated where it is larger."""
    return _padded(_resized(pixels, window.content), window)


def shown_mask(marked: Region, window: Window) -> Region:
    """The mask of a window's box in the window's size. What is marked at all stays marked, however small it becomes."""
    width, height = window.content
    mask: Samples = marked.view(np.uint8)
    if (width, height) != (window.box.width, window.box.height):
        shrinks = width < window.box.width or height < window.box.height
        if shrinks:  # the mean over each pixel's area: above 0 if any of it is marked
            mask = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        else:
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    # The padding beside a mask that touches the edge repeats what is to go: it is masked, too.
    return np.asarray(_padded(np.ascontiguousarray(mask > 0).view(np.uint8), window)).view(np.bool_)


def taken_back(painted: Pixels, window: Window) -> Pixels:
    """What a model returned for a window, without the padding and in the size of the window's box."""
    width, height = window.content
    return _resized(painted[:height, :width], (window.box.width, window.box.height))


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    shrinks = size[0] < width or size[1] < height
    # The mean over the area where it shrinks; LANCZOS where it grows, which overshoots less than it blurs.
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def _padded(pixels: Pixels, window: Window) -> Pixels:
    right, bottom = window.size[0] - window.content[0], window.size[1] - window.content[1]
    if not right and not bottom:
        return pixels
    return np.asarray(cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
