"""How pictures of a sample are cut and marked, so that a small edit can be seen in a small picture."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_core.edit import Box
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.region import cut
from PIL import Image, ImageDraw

from inpaint_benchmark.metrics.areas import bits, box_of, whole

#: What the masked part takes of a close-up's side, and the smallest close-up there is, as a share of the picture.
_FILLS, _SMALLEST = 0.5, 0.3
#: Above this share a close-up shows so little less than the whole that the whole is shown.
_WORTH_IT = 0.8
_RED, _TINT = np.array((225, 30, 40)), 0.42
_FRAME = (255, 255, 255)


def close_up(mask: Region) -> Box:
    """The part of the picture to look at: the mask with what is around it, in the proportions of the picture."""
    picture = whole(mask)
    marked = box_of(mask)
    if marked is None:
        return picture
    share = max(marked.width / picture.width, marked.height / picture.height) / _FILLS
    share = max(share, _SMALLEST)
    if share > _WORTH_IT:
        return picture
    width, height = round(picture.width * share), round(picture.height * share)
    left = _centred((marked.left + marked.right) // 2, width, picture.width)
    top = _centred((marked.top + marked.bottom) // 2, height, picture.height)
    return Box(left, top, left + width, top + height)


def shown(pixels: Pixels, part: Box, side: int) -> Image.Image:
    """A part of a picture, not larger than `side` each way."""
    image = Image.fromarray(np.ascontiguousarray(pixels[cut(part)]))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def marked(pixels: Pixels, mask: Region, frame: Box, side: int) -> Image.Image:
    """The whole picture: tinted where the mask is, outlined, and with a frame around the close-up if there is one."""
    small = shown(pixels, whole(mask), side)
    area = np.asarray(cv2.resize(bits(mask) * np.uint8(255), small.size, interpolation=cv2.INTER_AREA)) > 127
    drawn = np.asarray(small).astype(float)
    drawn[area] = drawn[area] * (1 - _TINT) + _RED * _TINT
    sheet = np.rint(drawn).astype(np.uint8)
    outlines, _ = cv2.findContours(bits(area), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(sheet, outlines, -1, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.drawContours(sheet, outlines, -1, _RED.tolist(), 1, cv2.LINE_AA)
    picture = Image.fromarray(sheet)
    if frame != whole(mask):
        scale = small.width / mask.shape[1]
        corners = [round(number * scale) for number in frame]
        draw = ImageDraw.Draw(picture)
        draw.rectangle(corners, outline=(0, 0, 0), width=3)
        draw.rectangle(corners, outline=_FRAME, width=1)
    return picture


def _centred(middle: int, length: int, most: int) -> int:
    return min(max(0, middle - length // 2), most - length)
