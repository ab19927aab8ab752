"""Where metrics look: boxes, windows that lie in an area, and pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from inpaint_core.edit import Box
from inpaint_worker.arrays import Pixels, Region

#: Pixels of a piece. A 12 megapixel picture in one piece would need gigabytes of float temporaries.
_PIECE = 1 << 19


def whole(picture: Pixels | Region) -> Box:
    """All of a picture."""
    return Box(0, 0, picture.shape[1], picture.shape[0])


def box_of(marked: Region) -> Box | None:
    """The smallest box around what is marked; None: nothing is."""
    left, top, width, height = cv2.boundingRect(bits(marked))
    return Box(left, top, left + width, top + height) if width else None


def pieces(box: Box) -> Iterator[Box]:
    """The box from top to bottom, in pieces of about half a megapixel."""
    rows = max(1, _PIECE // max(1, box.width))
    for top in range(box.top, box.bottom, rows):
        yield box._replace(top=top, bottom=min(top + rows, box.bottom))


def middles(area: Region, side: int, shape: int = cv2.MORPH_RECT) -> Region:
    """The pixels of an area whose window of `side` x `side` pixels (odd) lies in the area, and in the picture."""
    kernel = cv2.getStructuringElement(shape, (side, side))
    # A constant border: by default what lies beyond the picture counts as part of the area.
    inner = cv2.erode(bits(area), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(inner, np.uint8).view(np.bool_)


def difference(a: Pixels, b: Pixels) -> tuple[Pixels, Region]:
    """Of two pictures, H x W x 3: the absolute difference, and where there is any, H x W."""
    steps = np.asarray(cv2.absdiff(a, b), np.uint8)
    # numpy's `any` over the three channels takes ten times as long.
    red, green, blue = cv2.split(steps)
    return steps, np.asarray(cv2.bitwise_or(cv2.bitwise_or(red, green), blue) != 0)


def bits(area: Region) -> Pixels:
    """The area as OpenCV takes it: 0 and 1."""
    return np.ascontiguousarray(area).view(np.uint8)
