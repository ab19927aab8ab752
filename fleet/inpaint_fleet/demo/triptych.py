"""Before, mask, after: three pictures side by side."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_CAPTION = 30
_RED = (230, 30, 30)
#: How much of the red is seen over the masked area, of 255.
_OPACITY = 140


def before_mask_after(before: Image.Image, mask: Image.Image, after: Image.Image) -> Image.Image:
    """Source, source with the mask in red, and result, with captions. The mask is white where it was repainted."""
    before, after = before.convert("RGB"), after.convert("RGB")
    veil = mask.convert("L").point(lambda value: _OPACITY if value >= 128 else 0)
    marked = Image.composite(Image.new("RGB", before.size, _RED), before, veil)
    width, height = before.size
    sheet = Image.new("RGB", (3 * width + 2 * _GAP, height + _CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for place, (caption, picture) in enumerate((("before", before), ("mask", marked), ("after", after))):
        left = place * (width + _GAP)
        draw.text((left + 6, 5), caption, fill="black", font=font)
        sheet.paste(picture, (left, _CAPTION))
    return sheet
