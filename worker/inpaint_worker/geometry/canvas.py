"""The picture of a job: decoded for the model, and put back together with every pixel outside the mask untouched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from inpaint_core.images import Limits, check_pair, open_image, open_mask
from PIL import Image

from inpaint_worker.pipelines.base import Pixels, Region


@dataclass(frozen=True, slots=True)
class Canvas:
    """A source and the region of it that may change, both upright and of one size."""

    pixels: Pixels
    region: Region
    #: H x W uint8, kept as it was; None if the source has no transparency.
    alpha: Pixels | None
    #: The source's colour profile, which goes into the output; None if it had none or is not RGB.
    icc_profile: bytes | None


def open_canvas(source: bytes, mask: bytes, limits: Limits) -> Canvas:
    """Decode source and mask; raises the `ImageError`s of `inpaint_core.images`."""
    image = open_image(source, limits, "source")
    marked = open_mask(mask, limits, "mask")
    check_pair(image, marked)
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    if has_alpha:
        rgba = np.asarray(image.convert("RGBA"))
        pixels, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    else:
        pixels, alpha = np.asarray(_to_rgb(image)), None
    return Canvas(pixels, np.asarray(marked) > 0, alpha, profile)


def composite(canvas: Canvas, painted: Pixels) -> Image.Image:
    """`painted` inside the region, the source's own bits outside."""
    if painted.shape != canvas.pixels.shape or painted.dtype != np.uint8:
        raise ValueError(f"The pipeline returned {painted.shape} {painted.dtype}, expected {canvas.pixels.shape} uint8")
    merged = np.where(canvas.region[..., None], painted, canvas.pixels)
    if canvas.alpha is not None:
        merged = np.dstack([merged, canvas.alpha])
    return Image.fromarray(merged)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling.
        image = image.convert("F").point(lambda value: value * (1 / 257)).convert("L")
    return image.convert("RGB")
