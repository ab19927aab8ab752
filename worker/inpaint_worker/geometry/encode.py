"""Encoding outputs: PNG without loss, and JPEG, WebP and AVIF for who asks for them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from inpaint_core.edit import QUALITY, EditOptions, OutputFormat
from PIL import Image

from inpaint_worker.arrays import Pixels, Region, Samples
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.png import write_png

#: JPEG halves the resolution of colours below this quality.
_FULL_COLOUR_FROM = 90
#: Of 0 (slow) to 10; at Pillow's 6 a photo of 12 megapixels takes a minute of one core.
_AVIF_SPEED = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """An image as it is stored."""

    name: str
    format: str
    media_type: str
    data: bytes
    width: int
    height: int


def encode_result(pixels: Samples, alpha: Samples | None, profile: bytes | None, edit: EditOptions) -> Encoded:
    """The result in the format that the edit asks for."""
    height, width = pixels.shape[:2]
    kind = edit.format
    if kind is OutputFormat.PNG:
        return Encoded("result.png", "PNG", "image/png", encode_png(pixels, alpha, profile), width, height)
    data = _lossy(pixels, alpha, profile, kind, edit.quality or QUALITY[kind.value])
    ending = "jpg" if kind is OutputFormat.JPEG else kind.value
    return Encoded(f"result.{ending}", kind.value.upper(), f"image/{kind.value}", data, width, height)


def encode_png(pixels: Samples, alpha: Samples | None = None, profile: bytes | None = None) -> bytes:
    """RGB of 8 or 16 bits, with its transparency and its ICC profile."""
    return write_png(pixels if alpha is None else np.dstack([pixels, alpha]), profile)


def encode_region(marked: Region) -> Encoded:
    """The edit region as a mask of one bit: white may change."""
    buffer = io.BytesIO()
    Image.fromarray(marked).save(buffer, "PNG", compress_level=1)
    return Encoded("region.png", "PNG", "image/png", buffer.getvalue(), marked.shape[1], marked.shape[0])


def encode_raw(painted: Pixels, number: int) -> Encoded:
    """What a model returned for a window, numbered from 1."""
    name = "raw.png" if number == 1 else f"raw-{number}.png"
    return Encoded(name, "PNG", "image/png", encode_png(painted), painted.shape[1], painted.shape[0])


def on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """What is transparent, on white. H x W x 3 and H x W, 8 bits."""
    opacity = alpha[..., None].astype(np.uint16)
    return ((pixels * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def _lossy(pixels: Samples, alpha: Samples | None, profile: bytes | None, kind: OutputFormat, quality: int) -> bytes:
    flat = to_eight_bits(pixels)
    if alpha is not None:
        opacity = to_eight_bits(alpha)
        flat = on_white(flat, opacity) if kind is OutputFormat.JPEG else np.dstack([flat, opacity])
    options: dict[str, object] = {}
    if kind is OutputFormat.JPEG:
        options = {"subsampling": 0 if quality >= _FULL_COLOUR_FROM else 2, "progressive": True}
    elif kind is OutputFormat.AVIF:
        options = {"speed": _AVIF_SPEED}
    elif kind is OutputFormat.WEBP:
        options = {"exact": True}
    buffer = io.BytesIO()
    Image.fromarray(flat).save(buffer, kind.value.upper(), quality=quality, icc_profile=profile, **options)
    return buffer.getvalue()
