"""The source as arrays: upright, in the depth and colours of its file, with its transparency; and what that changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from inpaint_core.depth import bits_of, is_deep, is_grey
from inpaint_core.images import Limits, open_turned
from inpaint_core.masks import has_transparency
from PIL import Image

from inpaint_worker.arrays import Pixels, Samples, white
from inpaint_worker.geometry import deep
from inpaint_worker.geometry.colour import (
    Colours,
    ProfileUnusable,
    convert_to_srgb,
    describe_profile,
    read_profile,
    to_eight_bits,
)
from inpaint_worker.geometry.encode import on_white
from inpaint_worker.geometry.grey import grey_to_srgb

#: What PNG calls the gamma of sRGB, and how far others may be from it without a word.
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.02


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that is to be edited. Nothing writes into its arrays."""

    #: H x W x 3, uint8 or uint16, in the file's own RGB.
    pixels: Samples
    #: H x W, of the same depth; None if the file has no transparency.
    alpha: Samples | None
    colours: Colours
    #: The ICC profile that goes into the output: the file's own, unless its colours had to be converted.
    profile: bytes | None
    #: What was changed on reading: name -> {"before": ..., "after": ...}.
    normalised: dict[str, dict[str, Any]]
    warnings: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def bits(self) -> int:
        """Bits of a sample: 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    def seen(self, pixels: Samples, alpha: Samples | None) -> Pixels:
        """A part of the picture as a model sees it: sRGB, 8 bits, what is transparent on white."""
        colours = self.colours.seen(pixels)
        if alpha is None or bool((alpha == white(alpha)).all()):
            return colours
        return on_white(colours, to_eight_bits(alpha))


def open_source(data: bytes, limits: Limits, what: str = "source") -> Source:
    """Decode a source; raises the `ImageError`s of `inpaint_core.images`, which call it `what`."""
    image, orientation = open_turned(data, limits, what)
    reading = _Reading(image.info.get("icc_profile") or None)
    if orientation != 1:
        reading.note("orientation", orientation, 1)
    if (bits := bits_of(image)) > 8 and not is_deep(data, image):  # a HEIC of 10 bits, a CMYK TIFF of 16
        reading.note("bits", bits, 8)
    if (gamma := image.info.get("gamma")) and not reading.profile and abs(gamma - _SRGB_GAMMA) > _GAMMA_TOLERANCE:
        reading.warnings.append(f"The source states a gamma of {gamma:.3g}. It was not applied: sRGB was assumed.")
    if is_deep(data, image):
        pixels, alpha = deep.decode(data, image, orientation)
    else:
        pixels, alpha = reading.flat(image)
    if image.mode != (wanted := "RGB" if alpha is None else "RGBA"):
        reading.note("mode", image.mode, wanted)
    if is_grey(data, image):
        pixels = reading.grey(pixels)
    colours = reading.colours()
    if colours.is_one_way:
        reading.note("profile", colours.name, "sRGB")
        if pixels.dtype != np.uint8:
            reading.note("bits", 16, 8)
        pixels, alpha = colours.seen(pixels), None if alpha is None else to_eight_bits(alpha)
        colours, reading.profile = Colours(), None
    return Source(pixels, alpha, colours, reading.profile, reading.normalised, reading.warnings)


class _Reading:
    """What becomes of the colours of a picture, and what is noted, while it is read."""

    def __init__(self, profile: bytes | None) -> None:
        self.profile = profile
        self.normalised: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []

    def note(self, name: str, before: object, after: object) -> None:
        """Record a change."""
        self.normalised[name] = {"before": before, "after": after}

    def flat(self, image: Image.Image) -> tuple[Samples, Samples | None]:
        """RGB and transparency of a picture of 8 bits."""
        if image.mode in ("CMYK", "LAB"):
            return np.asarray(self._converted(image)), None
        if not has_transparency(image):
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
        rgba = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])

    def grey(self, pixels: Samples) -> Samples:
        """Grey whose profile is for grey, which a picture in RGB cannot carry, as sRGB."""
        space, name = describe_profile(self.profile)
        if self.profile is None or space != "GRAY":
            return pixels
        try:
            converted = grey_to_srgb(pixels[..., 0], self.profile)
        except ProfileUnusable as error:
            self._doubt(error)
            converted = pixels[..., 0]
        else:
            self.note("profile", name, "sRGB")
        self.profile = None
        return np.repeat(converted[..., None], 3, axis=2)

    def colours(self) -> Colours:
        """The colours that models see it by; a profile that is of no use is dropped."""
        try:
            return read_profile(self.profile)
        except ProfileUnusable as error:
            self._doubt(error)
            self.profile = None
            return Colours()

    def _converted(self, image: Image.Image) -> Image.Image:
        """Colours that a picture in RGB cannot hold, as sRGB. That is the picture which is preserved."""
        try:
            converted, name = convert_to_srgb(image, self.profile)
            self.note("profile", name, "sRGB")
        except ProfileUnusable as error:
            if self.profile:
                self._doubt(error)
            converted = image.convert("RGB")
        self.profile = None
        return converted

    def _doubt(self, error: ProfileUnusable) -> None:
        self.note("profile", "unusable", "none: taken for sRGB")
        self.warnings.append(f"The colour profile of the source cannot be used: {error}. It was taken for sRGB.")
