"""A result spoilt on purpose, which nobody who looks gives full marks: a check hidden among what raters are shown."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw, ImageFilter

#: Bars across the whole picture, so that some lie inside the mask and some outside whatever the mask is.
_BARS = 6
_SHARE = 0.09
#: Half of all levels: to turn levels round instead leaves a grey of the middle as it was.
_SHIFT = 128


def damage(picture: Image.Image, seed: int) -> Image.Image:
    """The picture, blurred, with bars across it whose levels are half of the range off; equal seeds do the same.

    So the bars are plain to see on whatever is under them. Any size and mode; RGB comes back.
    """
    drawing = random.Random(seed)  # noqa: S311  (to be repeated, not to be secret)
    whole = picture.convert("RGB")
    width, height = whole.size
    spoilt = whole.filter(ImageFilter.GaussianBlur(max(1.0, min(width, height) / 80)))
    shifted = spoilt.point([(level + _SHIFT) % 256 for level in range(256)] * 3)
    bars = Image.new("L", whole.size, 0)
    draw = ImageDraw.Draw(bars)
    thick = max(1, round(height * _SHARE))
    for number in range(_BARS):
        # One in each part of the height, so that no mask is spared, and none spared outside.
        top = round((number + drawing.random() * 0.4) * height / _BARS)
        draw.rectangle((0, top, width, top + thick - 1), fill=255)
    spoilt.paste(shifted, mask=bars)
    return spoilt
