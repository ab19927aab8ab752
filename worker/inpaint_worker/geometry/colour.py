"""Between the colours of a file and sRGB, which models see."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms

from inpaint_worker.arrays import Pixels, Samples

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
#: Every combination of these values, as a picture: what tells whether a profile does anything.
_PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), axis=-1).reshape(6, 36, 3).astype(np.uint8)
_UNNAMED, _LONGEST_NAME = "unnamed", 100


class ProfileUnusable(Exception):
    """The colour profile is damaged, or not for pictures of this kind."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The colour space of a picture. Without transforms it is sRGB, or taken for it."""

    name: str = "sRGB"
    to_srgb: ImageCms.ImageCmsTransform | None = None
    from_srgb: ImageCms.ImageCmsTransform | None = None

    @property
    def is_one_way(self) -> bool:
        """Whether its profile only tells how to read colours: nothing that a model paints can be put into them."""
        return self.to_srgb is not None and self.from_srgb is None

    def seen(self, pixels: Samples) -> Pixels:
        """H x W x 3 of the file, 8 or 16 bits, as a model sees it: 8 bits, sRGB."""
        eight = to_eight_bits(pixels)
        return eight if self.to_srgb is None else _apply(self.to_srgb, eight)

    def stored(self, pixels: Pixels, dtype: np.dtype[np.generic]) -> Samples:
        """H x W x 3 that a model returned, in the colours and the depth of the file."""
        own = pixels if self.from_srgb is None else _apply(self.from_srgb, pixels)
        return own if dtype == np.uint8 else own.astype(np.uint16) * np.uint16(257)


def describe_profile(profile: bytes | None) -> tuple[str, str]:
    """The colour space that an ICC profile is for ("RGB", "GRAY", "CMYK", "" if it cannot be opened), and its name."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile or b"")).profile
        space = _printable(str(opened.xcolor_space))
    except (OSError, ValueError, struct.error):
        return "", _UNNAMED
    try:  # Pillow stumbles over names that are not ASCII
        return space, _printable(opened.profile_description or "") or _UNNAMED
    except (ValueError, OSError):
        return space, _UNNAMED


def read_profile(profile: bytes | None) -> Colours:
    """The colours of a picture in RGB with this ICC profile; `ProfileUnusable` if it does not describe RGB."""
    if not profile:
        return Colours()
    opened, name = _open(profile, "RGB")
    try:
        to_srgb = _transform(opened, _srgb(), "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileUnusable(_printable(str(error))) from None
    try:
        # Most profiles are sRGB under one of its many names; others have its name and are something else.
        if np.abs(_apply(to_srgb, _PROBE).astype(np.int16) - _PROBE).max() <= 1:
            return Colours(name)
        return Colours(name, to_srgb, _transform(_srgb(), opened, "RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return Colours(name, to_srgb)  # a scanner's: there is no way back


def convert_to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """A picture in CMYK or Lab as RGB in sRGB, and the name of the profile that it was read by.

    `ProfileUnusable` if the profile is not for its mode.
    """
    if image.mode == "LAB":
        opened, name = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "Lab"
    else:
        opened, name = _open(profile, image.mode)
    try:
        converted = ImageCms.profileToProfile(
            image, opened, _srgb(), renderingIntent=_INTENT, outputMode="RGB", flags=_FLAGS
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileUnusable(_printable(str(error))) from None
    assert converted is not None  # noqa: S101  (only in-place conversion returns None)
    return converted, name


def to_eight_bits(samples: Samples) -> Pixels:
    """16 bits rounded to 8; 8 bits as they are."""
    if samples.dtype == np.uint8:
        return samples
    # 65535 / 255 is 257 exactly, and OpenCV rounds.
    return np.asarray(cv2.convertScaleAbs(samples, alpha=1 / 257), np.uint8)


def _printable(text: str) -> str:
    """What a file calls itself, fit to be stored and shown."""
    return "".join(char for char in text if char.isprintable())[:_LONGEST_NAME].strip()


def _open(profile: bytes | None, wanted: str) -> tuple[ImageCms.ImageCmsProfile, str]:
    space, name = describe_profile(profile)
    if not space:
        raise ProfileUnusable("it is damaged")
    if space != wanted:
        raise ProfileUnusable(f"it is for {space}, and the picture is {wanted}")
    return ImageCms.ImageCmsProfile(io.BytesIO(profile or b"")), name


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _transform(
    source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile, mode: str
) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(source, target, mode, mode, renderingIntent=_INTENT, flags=_FLAGS)


def _apply(transform: ImageCms.ImageCmsTransform, pixels: Pixels) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(ImageCms.applyTransform(image, transform), np.uint8)
