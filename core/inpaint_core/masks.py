"""What a mask marks: pictures in three polarities, the transparency of a source, boxes and polygons.

Inside the fleet a mask is one thing: mode L, 255 = repaint, 0 = keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image, ImageChops, ImageDraw, ImageMath

from inpaint_core.edit import Box, EditOptions, MaskShapes, Polarity
from inpaint_core.errors import (
    ColouredMask,
    EmptyMask,
    FullMask,
    MaskOutside,
    MaskSizeMismatch,
    NoTransparency,
    ShadedMask,
)
from inpaint_core.images import ImageFacts, Limits, describe, open_image
from inpaint_core.polygons import filled

#: Mask values from here on mean "repaint" (diffusers binarises at 0.5, too).
MASK_THRESHOLD = 128
#: Masks that mark less, or a smaller share of the picture, are often a slip of the brush; more, an inverted mask.
FEW_PIXELS, SMALL_SHARE, LARGE_SHARE = 64, 1e-4, 0.9
#: Brightness between channels up to here is what JPEG makes of grey.
_COLOUR_FROM = 48
#: Values between are neither black nor white. Soft brushes leave some, a photo is made of them.
_SHADES_FROM, _SHADES_TO, _SHADED_SHARE, _MANY_SHADES = 48, 208, 0.5, 64
#: Of a grey mask, at most this share of pixels may look coloured at the edges.
_COLOURED_SHARE = 0.002


@dataclass(frozen=True, slots=True)
class Reading:
    """How the picture of a mask is read. `size`: what it is resized to if it is of another one."""

    polarity: Polarity = Polarity.WHITE
    threshold: int = MASK_THRESHOLD
    size: tuple[int, int] | None = None

    @classmethod
    def of(cls, edit: EditOptions, size: tuple[int, int]) -> Reading:
        """How an edit of a source of `size` reads its mask."""
        return cls(edit.polarity, edit.threshold, size if edit.resize_mask else None)

    @property
    def is_usual(self) -> bool:
        """White from 128 on, in its own size: what is recorded of an image that was used as a mask."""
        return self == Reading()


def open_mask(data: bytes, limits: Limits, what: str = "mask", reading: Reading | None = None) -> Image.Image:
    """A mask in mode L, 255 = repaint and 0 = keep. Raises an `ImageError`."""
    return binary_mask(open_image(data, limits, what), what, reading)


def inspect_mask(
    data: bytes, limits: Limits, what: str = "mask", reading: Reading | None = None
) -> tuple[ImageFacts, int]:
    """Decode a mask once: what it is, and how many pixels it marks; raises as `open_mask` does."""
    image = open_image(data, limits, what)
    marked = count_marked(binary_mask(image, what, reading))
    usual = reading is None or reading.is_usual
    return describe(data, image, limits, marked if usual else None), marked


def binary_mask(image: Image.Image, what: str = "mask", reading: Reading | None = None) -> Image.Image:
    """Any decoded image as a mask; `EmptyMask` if it marks nothing, `FullMask` if it marks all.

    Transparent pixels are kept, unless transparency is what marks. `ColouredMask` for anything that is not grey: a
    photo, or an area painted red.
    """
    reading = reading or Reading()
    if image.mode == "LAB":
        image = image.getchannel("L")
    if reading.polarity is Polarity.TRANSPARENT:
        values = _transparency(image, what)
    else:
        _refuse_colours(image, what)
        values = _brightness(image, reading.polarity)
    mask = _checked(_resized(values, reading), what, reading)
    if reading.threshold == MASK_THRESHOLD:  # who sets another means a mask in shades
        _refuse_shades(values, what)
    return mask


def alpha_mask(image: Image.Image, threshold: int = MASK_THRESHOLD, what: str = "source") -> Image.Image:
    """The transparent pixels of a source as its mask. Raises `NoTransparency`, or as `binary_mask` does."""
    return transparency_mask(_transparency(image, what), threshold, what)


def transparency_mask(transparency: Image.Image, threshold: int = MASK_THRESHOLD, what: str = "source") -> Image.Image:
    """The same of how transparent each pixel is: mode L, 0 = opaque."""
    reading = Reading(Polarity.TRANSPARENT, threshold)
    return _checked(transparency, f"transparency of the {what}", reading)


def shapes_mask(shapes: MaskShapes, size: tuple[int, int]) -> Image.Image:
    """Boxes and polygons drawn on a picture of `size`; `MaskOutside` if one of them lies beside it.

    A pixel belongs to a polygon if its middle does.
    """
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    whole = Box(0, 0, *size)
    for corners in shapes.boxes:
        box = Box(*corners) & whole
        if not box.area:
            raise _outside("box", list(corners), size)
        draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=255)
    for points in shapes.polygons:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if max(xs) <= 0 or max(ys) <= 0 or min(xs) >= size[0] or min(ys) >= size[1]:
            raise _outside("polygon", [list(point) for point in points[:4]], size)
    if shapes.polygons:
        mask = ImageChops.lighter(mask, filled(shapes.polygons, size))
    if mask.getbbox() is None:
        raise EmptyMask(
            "The polygons of the mask are so small that they mark no pixel. Coordinates are pixels of the source.",
            what="mask",
        )
    if mask.getextrema()[0] == 255:
        raise FullMask(
            f"The boxes and polygons of the mask cover the whole picture ({size[0]}x{size[1]} pixels), so that nothing "
            "would be left of it. Make them smaller.",
            what="mask",
        )
    return mask


class Sized(Protocol):
    """Something with a width and a height."""

    @property
    def width(self) -> int:
        """Columns."""

    @property
    def height(self) -> int:
        """Rows."""


def check_pair(source: Sized, mask: Sized) -> None:
    """`MaskSizeMismatch` unless mask and source have one size."""
    if (source.width, source.height) != (mask.width, mask.height):
        swapped = (source.width, source.height) == (mask.height, mask.width)
        remedy = "turn the mask" if swapped else "export the mask at the size of the source"
        raise MaskSizeMismatch(
            f"The mask is {mask.width}x{mask.height} pixels and the source {source.width}x{source.height}. "
            f"They must be equal, as displayed (a photo that EXIF turns upright counts upright): {remedy}, or have it "
            "resized (resize_mask, --resize-mask).",
            mask=(mask.width, mask.height),
            source=(source.width, source.height),
        )


def count_marked(mask: Image.Image) -> int:
    """Pixels that a mask of mode L with only 0 and 255 marks."""
    return mask.histogram()[255]


def has_transparency(image: Image.Image) -> bool:
    """Whether the image can have transparent pixels, by its mode."""
    # The A of Lab is a colour.
    return ("A" in image.getbands() and image.mode != "LAB") or "transparency" in image.info


def _checked(values: Image.Image, what: str, reading: Reading) -> Image.Image:
    threshold = reading.threshold
    mask = values.point(lambda value: 255 if value >= threshold else 0)
    marked = sum(values.histogram()[threshold:])
    if not marked:
        low, high = (int(value) for value in values.getextrema())  # type: ignore[arg-type]
        raise EmptyMask(_nothing_marked(what, high, reading), what=what, highest=high, lowest=low)
    if marked == mask.width * mask.height:
        raise FullMask(
            f"The {what} marks the whole picture, so that nothing would be left of it. {_meaning(reading.polarity)}; "
            "if it is the other way round, invert it.",
            what=what,
        )
    return mask


def _nothing_marked(what: str, highest: int, reading: Reading) -> str:
    threshold, polarity = reading.threshold, reading.polarity
    if polarity is Polarity.TRANSPARENT:
        return (
            f"The {what} marks nothing to repaint: its most transparent pixel has an alpha of {255 - highest} of 255, "
            f"and up to {255 - threshold} means repaint. Erase the area, or send a mask."
        )
    if polarity is Polarity.BLACK:
        return (
            f"The {what} marks nothing to repaint: its darkest pixel is {255 - highest} of 255, and black (up to "
            f"{255 - threshold}) means repaint. Paint the area black; if it is white on black, leave polarity out."
        )
    return (
        f"The {what} marks nothing to repaint: its brightest pixel is {highest} of 255, and white (from "
        f"{threshold}) means repaint. Paint the area white; if it is black on white, invert it or say polarity black."
    )


def _meaning(polarity: Polarity) -> str:
    kept = {Polarity.WHITE: "Black keeps", Polarity.BLACK: "White keeps", Polarity.TRANSPARENT: "What is opaque keeps"}
    return f"{kept[polarity]} what it covers"


def _resized(values: Image.Image, reading: Reading) -> Image.Image:
    if reading.size is None or reading.size == values.size:
        return values
    shrinks = reading.size[0] < values.width or reading.size[1] < values.height
    return values.resize(reading.size, Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)


def _transparency(image: Image.Image, what: str) -> Image.Image:
    if not has_transparency(image):
        raise no_transparency(what, image.mode)
    if image.mode.startswith("I;16"):  # cannot be converted; one of its values is the transparent one
        clear = int(image.info["transparency"])
        grey16 = image.convert("I")
        marked: Image.Image = ImageMath.lambda_eval(
            lambda on: on["convert"]((on["grey"] == clear) * 255, "L"), grey=grey16
        )
        return marked
    return ImageChops.invert(image.convert("RGBA").getchannel("A"))


def no_transparency(what: str, mode: str) -> NoTransparency:
    """The error for a picture whose transparency is to be its mask."""
    return NoTransparency(
        f"The {what} has no transparency (its mode is {mode}), and transparent pixels were to be repainted. Save it "
        "as PNG or WebP with the area erased, or send a mask in black and white.",
        what=what,
    )


def _brightness(image: Image.Image, polarity: Polarity) -> Image.Image:
    """How much each pixel marks, 0 to 255; what is transparent marks nothing."""
    opaque = None
    if has_transparency(image):
        rgba = image.convert("RGBA")
        image, opaque = rgba.convert("RGB"), rgba.getchannel("A")
    values = grey(image)
    if polarity is Polarity.BLACK:
        values = ImageChops.invert(values)
    return values if opaque is None else ImageChops.multiply(values, opaque)


def grey(image: Image.Image) -> Image.Image:
    """In mode L. 16-bit grey is scaled; Pillow's own conversion clips it at 255."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    return image.convert("L")


def _refuse_colours(image: Image.Image, what: str) -> None:
    if image.mode in ("1", "L", "LA") or image.mode.startswith("I"):
        return
    rgba = image.convert("RGBA")
    red, green, blue, alpha = rgba.split()
    spread = ImageChops.subtract(
        ImageChops.lighter(ImageChops.lighter(red, green), blue), ImageChops.darker(ImageChops.darker(red, green), blue)
    )
    spread = ImageChops.multiply(spread, alpha.point(lambda value: 255 if value else 0))
    share = sum(spread.histogram()[_COLOUR_FROM:]) / (image.width * image.height)
    if share > _COLOURED_SHARE:
        raise ColouredMask(
            f"The {what} has colours ({share:.1%} of it): it looks like a picture, or an area painted in a colour. "
            "A mask is black and white: white is repainted, black is kept.",
            what=what,
        )


def _refuse_shades(values: Image.Image, what: str) -> None:
    """A grey photo, given by mistake: most of it is neither black nor white, in many shades."""
    shades = values.histogram()[_SHADES_FROM:_SHADES_TO]
    share = sum(shades) / (values.width * values.height)
    if share > _SHADED_SHARE and sum(1 for count in shades if count) > _MANY_SHADES:
        raise ShadedMask(
            f"The {what} is neither black nor white in {share:.0%} of its pixels: it looks like a grey picture. A mask "
            "is black and white: white is repainted, black is kept.",
            what=what,
        )


def _outside(shape: str, points: object, size: tuple[int, int]) -> MaskOutside:
    return MaskOutside(
        f"The {shape} {points} of the mask lies outside of the picture, which is {size[0]}x{size[1]} pixels. "
        "Coordinates are pixels of the source as displayed, from its upper left corner.",
        size=size,
    )
