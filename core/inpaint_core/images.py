"""Opening what people send, within limits: the same checks at submit and in the worker. Pillow only."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageOps

from inpaint_core.errors import ColouredMask, EmptyMask, FullMask, ImageTooLarge, MaskSizeMismatch, UnreadableImage
from inpaint_core.settings import Settings

#: Pillow format -> (file extension, media type). Everything else is refused before a pixel is decoded.
FORMATS = {
    "JPEG": ("jpg", "image/jpeg"),
    "PNG": ("png", "image/png"),
    "WEBP": ("webp", "image/webp"),
    "TIFF": ("tif", "image/tiff"),
    "BMP": ("bmp", "image/bmp"),
}
#: Mask values from here on mean "repaint" (diffusers binarises at 0.5, too).
MASK_THRESHOLD = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may be."""

    max_bytes: int
    max_pixels: int
    max_side: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings give."""
        return cls(settings.max_image_bytes, settings.max_image_pixels, settings.max_image_side)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the fleet records of an input. Width and height are as displayed, after EXIF orientation."""

    sha256: str
    format: str
    mode: str
    width: int
    height: int
    size_bytes: int
    #: Pixels at or above the mask threshold; None if the image was not read as a mask.
    masked_pixels: int | None = None

    @property
    def extension(self) -> str:
        """File extension of the format."""
        return FORMATS[self.format][0]

    @property
    def media_type(self) -> str:
        """Media type of the format."""
        return FORMATS[self.format][1]


def open_image(data: bytes, limits: Limits, what: str = "image") -> Image.Image:
    """A decoded, upright image. `what` names it in errors: 'source', 'mask', or a file name.

    Raises `UnreadableImage` or `ImageTooLarge`; the size is checked before any pixel is decoded.
    """
    image = _open_header(data, limits, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (on damaged bytes Pillow's parsers raise whatever they stumble over)
        raise UnreadableImage(
            f"The {what} begins as a {image.format} but cannot be decoded ({_short(error)}). "
            "It is probably truncated or damaged; export it again.",
            what=what,
        ) from None


def open_mask(data: bytes, limits: Limits, what: str = "mask") -> Image.Image:
    """A mask in mode L, 255 = repaint and 0 = keep."""
    return binary_mask(open_image(data, limits, what), what)


def binary_mask(image: Image.Image, what: str = "mask") -> Image.Image:
    """Any decoded image as a mask in mode L with only 0 and 255; `EmptyMask` if nothing is white, `FullMask` if all is.

    Transparent pixels count as black. `ColouredMask` for anything that is not grey: a photo, or an area painted red.
    """
    _refuse_colours(image, what)
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size)
        flat.paste(rgba, mask=rgba.getchannel("A"))
        image = flat
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: Pillow's own conversion to L clips at 255 instead of scaling.
        image = image.convert("F").point(lambda value: value * (1 / 257))
    mask = image.convert("L").point(lambda value: 255 if value >= MASK_THRESHOLD else 0)
    if mask.getbbox() is None:
        low, high = image.convert("L").getextrema()
        raise EmptyMask(
            f"The {what} marks nothing to repaint: its brightest pixel is {high} of 255, and white (from "
            f"{MASK_THRESHOLD}) means repaint. Paint the area white; if it is black on white, invert it.",
            what=what,
            brightest=high,
            darkest=low,
        )
    if not mask.histogram()[0]:
        raise FullMask(
            f"The {what} marks the whole picture, so that nothing would be left of it. Black keeps what it covers; "
            "if the mask is black on white, invert it.",
            what=what,
        )
    return mask


#: Brightness between channels up to here is what JPEG makes of grey.
_COLOUR_FROM = 48
#: Of a grey mask, at most this share of pixels may look coloured at the edges.
_COLOURED_SHARE = 0.002


def _refuse_colours(image: Image.Image, what: str) -> None:
    if image.mode in ("1", "L", "LA") or image.mode.startswith(("I", "F")):
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


def check_pair(source: ImageFacts | Image.Image, mask: ImageFacts | Image.Image) -> None:
    """`MaskSizeMismatch` unless mask and source have one size."""
    if (source.width, source.height) != (mask.width, mask.height):
        raise MaskSizeMismatch(
            f"The mask is {mask.width}x{mask.height} pixels and the source {source.width}x{source.height}. "
            "They must be equal, as displayed (a photo that EXIF turns upright counts upright): export the mask at the "
            "size of the source.",
            mask=(mask.width, mask.height),
            source=(source.width, source.height),
        )


def inspect_image(data: bytes, limits: Limits, what: str = "source") -> ImageFacts:
    """Decode an image once and tell what it is; raises as `open_image` does."""
    return _facts(data, open_image(data, limits, what), limits, None)


def inspect_mask(data: bytes, limits: Limits, what: str = "mask") -> ImageFacts:
    """Decode a mask once and tell what it is; raises as `open_mask` does."""
    image = open_image(data, limits, what)
    masked = binary_mask(image, what).histogram()[255]
    return _facts(data, image, limits, masked)


def _facts(data: bytes, image: Image.Image, limits: Limits, masked_pixels: int | None) -> ImageFacts:
    # Of the file, not of the upright image, which Pillow may have made anew without them.
    header = _open_header(data, limits, "image")
    kind, mode = str(header.format), header.mode
    digest = hashlib.sha256(data).hexdigest()
    return ImageFacts(digest, _canonical(kind), mode, image.width, image.height, len(data), masked_pixels)


def _canonical(pillow_format: str) -> str:
    # MPO is what some phones and cameras write: a JPEG with further pictures behind it, of which the first counts.
    return "JPEG" if pillow_format == "MPO" else pillow_format


def _open_header(data: bytes, limits: Limits, what: str) -> Image.Image:
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The {what} has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted (INPAINT_MAX_IMAGE_BYTES).",
            size_bytes=len(data),
            limit=limits.max_bytes,
        )
    if not data:
        raise UnreadableImage(f"The {what} is empty (0 bytes).", what=what)
    try:
        with warnings.catch_warnings():
            # Our own limit, below, is the tighter one and says more.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=list(FORMATS))
            animated = _has_second_frame(image)
    except Image.DecompressionBombError:
        raise ImageTooLarge(
            f"The {what} decodes to far more pixels than the {limits.max_pixels:,} that are accepted "
            "(INPAINT_MAX_IMAGE_PIXELS).",
            limit=limits.max_pixels,
        ) from None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  (see open_image)
        raise UnreadableImage(
            f"The {what} is not an image that can be read (it begins with {data[:8]!r}). "
            f"Accepted: {', '.join(FORMATS)}.",
            what=what,
        ) from None
    width, height = image.size
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ImageTooLarge(
            f"The {what} is {width}x{height} ({width * height:,} pixels); at most {limits.max_pixels:,} pixels and "
            f"{limits.max_side:,} on a side are accepted (INPAINT_MAX_IMAGE_PIXELS, INPAINT_MAX_IMAGE_SIDE).",
            pixels=width * height,
            limit=limits.max_pixels,
        )
    if animated:
        raise UnreadableImage(f"The {what} has several frames; send one still picture.", what=what)
    return image


def _short(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _has_second_frame(image: Image.Image) -> bool:
    # Not n_frames: for a TIFF it reads every directory, in quadratic time (6.8 MB take 24 s, 64 MB half an hour).
    if image.format == "MPO":
        return False
    if image.format != "TIFF":
        return bool(getattr(image, "n_frames", 1) > 1)
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True
