"""Opening what people send, within limits: the same checks at submit and in the worker. Pillow only."""

from __future__ import annotations

import functools
import hashlib
import io
import threading
import warnings
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageOps

from inpaint_core.depth import scale_clear_value, unusual_tiff
from inpaint_core.errors import FormatRefused, ImageTooLarge, TooManyFrames, UnreadableImage
from inpaint_core.heic import is_sound, register_heic
from inpaint_core.settings import IMAGE_FORMATS, Settings
from inpaint_core.unopened import refusal, short

#: Pillow format -> (file extension, media type). Everything else is refused before a pixel is decoded.
FORMATS = {
    "JPEG": ("jpg", "image/jpeg"),
    "PNG": ("png", "image/png"),
    "WEBP": ("webp", "image/webp"),
    "TIFF": ("tif", "image/tiff"),
    "BMP": ("bmp", "image/bmp"),
    "AVIF": ("avif", "image/avif"),
    "HEIF": ("heic", "image/heic"),
}
#: Pillow opens no PNG whose profile has more, so it must not be in an output.
MOST_PROFILE_BYTES = 1 << 20
#: How settings call them.
_NAMES = {"HEIF": "heic"}
#: Modes whose values have no known white; the last is 32 bits of something.
_MODES_WITHOUT_RANGE = ("F", "I")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may be."""

    max_bytes: int
    max_pixels: int
    max_side: int
    max_frames: int = 1
    formats: tuple[str, ...] = IMAGE_FORMATS

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings give."""
        return cls(
            settings.max_image_bytes,
            settings.max_image_pixels,
            settings.max_image_side,
            settings.max_image_frames,
            settings.image_formats,
        )


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the fleet records of an input. Width and height are as displayed, after EXIF orientation."""

    sha256: str
    format: str
    mode: str
    width: int
    height: int
    size_bytes: int
    #: Pixels that are white, as a mask reads them by default; None if the image was not read as such a mask.
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

    Raises an `ImageError`; everything that the header tells is checked before any pixel is decoded.
    """
    return open_turned(data, limits, what)[0]


def open_turned(data: bytes, limits: Limits, what: str = "image") -> tuple[Image.Image, int]:
    """As `open_image`, with the EXIF orientation (1 to 8) that the image had before it was turned upright."""
    image = open_header(data, limits, what)
    try:
        with _quiet:
            # A TIFF is turned when it is loaded; the EXIF of a PNG may be behind its pixels.
            orientation = _orientation(image) if image.format == "TIFF" else None
            image.load()
            scale_clear_value(image, data)
            orientation = orientation or _orientation(image)
            ImageOps.exif_transpose(image, in_place=True)  # without, it copies what is upright already
            return image, orientation
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (on damaged bytes Pillow's parsers raise whatever they stumble over)
        raise UnreadableImage(
            f"The {what} begins as a {image.format} but cannot be decoded ({short(error)}). "
            "It is probably truncated or damaged; export it again.",
            what=what,
        ) from None


def inspect_image(data: bytes, limits: Limits, what: str = "source") -> ImageFacts:
    """Decode an image once and tell what it is; raises as `open_image` does."""
    return describe(data, open_image(data, limits, what), limits)


def describe(data: bytes, upright: Image.Image, limits: Limits, masked_pixels: int | None = None) -> ImageFacts:
    """The facts of an image that `open_image` made of `data`."""
    # Of the file, not of the upright image, which Pillow may have made anew without them.
    header = open_header(data, limits, "image")
    digest = hashlib.sha256(data).hexdigest()
    return ImageFacts(digest, _canonical(header), header.mode, upright.width, upright.height, len(data), masked_pixels)


def open_header(data: bytes, limits: Limits, what: str) -> Image.Image:
    """The image with its size and mode, not yet decoded, as it lies in the file. Raises an `ImageError`."""
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The {what} has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted (INPAINT_MAX_IMAGE_BYTES).",
            size_bytes=len(data),
            limit=limits.max_bytes,
        )
    if not data:
        raise UnreadableImage(f"The {what} is empty (0 bytes).", what=what)
    if register_heic() and data[4:8] == b"ftyp" and not is_sound(data):
        raise UnreadableImage(f"The {what} is damaged: its items have no readable names. Export it again.", what=what)
    try:
        with _quiet:
            # Every format that the fleet knows, so that a refusal can tell what was sent.
            image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if _ready(name)])
            frames = _frames_over(image, limits.max_frames)
    except Image.DecompressionBombError:
        raise ImageTooLarge(
            f"The {what} decodes to far more pixels than the {limits.max_pixels:,} that are accepted "
            "(INPAINT_MAX_IMAGE_PIXELS).",
            limit=limits.max_pixels,
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (see open_image)
        raise refusal(data, limits.formats, what, error) from None
    _check_header(image, frames, limits, what)
    return image


def _check_header(image: Image.Image, frames: int | None, limits: Limits, what: str) -> None:
    name = _setting_name(_canonical(image))
    if name not in limits.formats:
        raise FormatRefused(
            f"The {what} is a {name.upper()}, which is not accepted here. Accepted: {', '.join(limits.formats)} "
            "(INPAINT_IMAGE_FORMATS).",
            what=what,
            found=name,
        )
    width, height = image.size
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ImageTooLarge(
            f"The {what} is {width}x{height} ({width * height:,} pixels); at most {limits.max_pixels:,} pixels and "
            f"{limits.max_side:,} on a side are accepted (INPAINT_MAX_IMAGE_PIXELS, INPAINT_MAX_IMAGE_SIDE).",
            pixels=width * height,
            limit=limits.max_pixels,
        )
    profile = len(image.info.get("icc_profile") or b"")
    if profile > MOST_PROFILE_BYTES:
        raise ImageTooLarge(
            f"The colour profile of the {what} has {profile:,} bytes; at most {MOST_PROFILE_BYTES:,} are accepted, as "
            "many readers of PNG take no more. Convert the picture to sRGB.",
            size_bytes=profile,
            limit=MOST_PROFILE_BYTES,
        )
    if frames is not None:
        raise TooManyFrames(
            f"The {what} has several frames ({frames} or more), and at most {limits.max_frames} is accepted "
            "(INPAINT_MAX_IMAGE_FRAMES). Send one still picture.",
            what=what,
            frames=frames,
            limit=limits.max_frames,
        )
    if problem := unusual_tiff(image):
        raise UnreadableImage(f"The {what} is a TIFF {problem}, which is not read. Export it without that.", what=what)
    if image.mode in _MODES_WITHOUT_RANGE:
        raise UnreadableImage(
            f"The {what} has 32 bits a pixel (Pillow's mode {image.mode}), and nothing says which value is white. "
            "Export it with 8 or 16 bits.",
            what=what,
        )


def _canonical(image: Image.Image) -> str:
    # MPO is what some phones and cameras write: a JPEG with further pictures behind it, of which the first counts.
    return "JPEG" if image.format == "MPO" else str(image.format)


def _setting_name(pillow_format: str) -> str:
    return _NAMES.get(pillow_format, pillow_format.lower())


def _frames_over(image: Image.Image, limit: int) -> int | None:
    """How many frames are known to be there, if that is more than `limit`."""
    if image.format == "MPO":
        return None
    if image.format != "TIFF":
        frames = int(getattr(image, "n_frames", 1))
        return frames if frames > limit else None
    # Not n_frames: for a TIFF it reads every directory, in quadratic time (6.8 MB take 24 s, 64 MB half an hour).
    try:
        image.seek(limit)
    except EOFError:
        return None
    finally:
        image.seek(0)
    return limit + 1


@functools.cache
def _ready(pillow_format: str) -> bool:
    """Whether Pillow can open the format; its plugins are loaded when they are first asked for."""
    if pillow_format not in Image.OPEN:
        Image.init()
    return pillow_format in Image.OPEN


class _Quiet:
    """Silences Pillow, which warns of sizes (our own limit is the tighter one and says more) and of odd metadata.

    `warnings.catch_warnings` alone belongs to one thread at a time: two that overlap would leave it silent for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catch = warnings.catch_warnings(action="ignore")

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._catch = warnings.catch_warnings(action="ignore")
                self._catch.__enter__()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._catch.__exit__(None, None, None)


_quiet = _Quiet()


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
