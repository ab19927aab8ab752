"""The pictures that guide an edit, as models see them: sRGB, 8 bits, upright."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_core.guides import check_control
from inpaint_core.images import Limits

from inpaint_worker.arrays import Pixels, Samples, white
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.encode import on_white
from inpaint_worker.geometry.source import open_source

#: Models look at references in 224 to 384 pixels a side, or as one megapixel at most: larger ones only cost memory.
_REFERENCE_PIXELS = 1_048_576


def open_reference(data: bytes, limits: Limits) -> Pixels:
    """A reference image, H x W x 3, what is transparent on white, of at most a megapixel. Raises `ImageError`s."""
    source = open_source(data, limits, "reference image")
    pixels = source.seen(source.pixels, source.alpha)
    scale = (_REFERENCE_PIXELS / (source.width * source.height)) ** 0.5
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = max(1, int(source.width * scale)), max(1, int(source.height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def open_control(data: bytes, size: tuple[int, int], limits: Limits) -> Pixels:
    """A control image for a source of `size` (width, height), in that size: H x W x 3, what is transparent on black.

    `ControlMismatch` if it has another shape; other `ImageError`s if it cannot be read.
    """
    source = open_source(data, limits, "control image")
    check_control(size, source.size)
    pixels = _on_black(source.colours.seen(source.pixels), source.alpha)
    if source.size == size:
        return np.ascontiguousarray(pixels)
    shrinks = size[0] < source.width or size[1] < source.height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def _on_black(pixels: Pixels, alpha: Samples | None) -> Pixels:
    """Lines are white: on white, those that were drawn on a transparent ground could not be seen."""
    if alpha is None or bool((alpha == white(alpha)).all()):
        return pixels
    return np.asarray(255 - on_white(255 - pixels, to_eight_bits(alpha)), np.uint8)
