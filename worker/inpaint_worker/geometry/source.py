"""The source as arrays: upright, in the depth and colours of its file, with its transparency; and what that changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from inpaint_core.depth import is_deep
from inpaint_core.images import Limits, open_header, open_image
from inpaint_core.masks import has_transparency
from PIL import Image

from inpaint_worker.arrays import Pixels, Samples, white
from inpaint_worker.geometry import deep
from inpaint_worker.geometry.colour import Colours, ProfileUnusable, convert_to_srgb, read_profile, to_eight_bits
from inpaint_worker.geometry.encode import on_white

_EXIF_ORIENTATION = 0x0112


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


def open_source(data: bytes, limits: Limits) -> Source:
    """Decode a source; raises the `ImageError`s of `inpaint_core.images`."""
    header = open_header(data, limits, "source")
    turned = int(header.getexif().get(_EXIF_ORIENTATION, 1))
    reading = _Reading(header)
    if turned in range(2, 9):
        reading.note("orientation", turned, 1)
    if is_deep(data, header):
        pixels, alpha = reading.deep(data, header)
    else:
        pixels, alpha = reading.flat(open_image(data, limits, "source"))
    colours, profile = reading.colours()
    return Source(pixels, alpha, colours, profile, reading.normalised, reading.warnings)


class _Reading:
    """What is learned of a picture, and what is changed, while it is read."""

    def __init__(self, header: Image.Image) -> None:
        self.mode = header.mode
        self.profile: bytes | None = header.info.get("icc_profile") or None
        self.normalised: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []
        if (bits := header.info.get("bit_depth", 8)) != 8:  # a HEIC of 10 bits
            self.note("bits", bits, 8)

    def note(self, name: str, before: object, after: object) -> None:
        """Record a change."""
        self.normalised[name] = {"before": before, "after": after}

    def flat(self, image: Image.Image) -> tuple[Samples, Samples | None]:
        """RGB and transparency of a picture of 8 bits."""
        wanted = "RGBA" if has_transparency(image) else "RGB"
        if image.mode != wanted:
            self.note("mode", image.mode, wanted)
        if image.mode in ("CMYK", "LAB") or (image.mode == "L" and self.profile):
            image = self._converted(image)
        if wanted == "RGB":
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
        rgba = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])

    def deep(self, data: bytes, header: Image.Image) -> tuple[Samples, Samples | None]:
        """RGB and transparency of a picture of 16 bits."""
        pixels, alpha = deep.decode(data, header)
        wanted = "RGB" if alpha is None else "RGBA"
        if header.mode != wanted:
            self.note("mode", header.mode, wanted)
        if header.mode.startswith("I;16") and self.profile:
            pixels = self._grey_converted(pixels)
        return pixels, alpha

    def colours(self) -> tuple[Colours, bytes | None]:
        """The colours that models see it by, and the profile of the output."""
        try:
            colours = read_profile(self.profile)
        except ProfileUnusable as error:
            self.note("profile", "unusable", "none: taken for sRGB")
            self.warnings.append(f"The colour profile of the source cannot be used: {error}. It was taken for sRGB.")
            return Colours(), None
        return colours, self.profile

    def _grey_converted(self, pixels: Samples) -> Samples:
        """16 bits of grey with a profile: by the curve that its 256 steps of 8 bits take, and between them."""
        ramp = np.asarray(self._converted(Image.fromarray(np.arange(256, dtype=np.uint8)[None])))[0, :, 0]
        curve = np.interp(np.arange(65_536), np.arange(256) * 257, ramp * 257.0)
        return np.rint(curve).astype(np.uint16)[pixels]

    def _converted(self, image: Image.Image) -> Image.Image:
        """Colours that a PNG in RGB cannot hold, as sRGB. That is the picture which is preserved."""
        try:
            converted, name = convert_to_srgb(image, self.profile)
        except ProfileUnusable as error:
            if self.profile:
                self.warnings.append(f"The colour profile of the source cannot be used: {error}.")
            name, converted = "none", image.convert("RGB")
        if self.profile or image.mode == "LAB":
            self.note("profile", name, "sRGB")
        self.profile = None
        return converted
