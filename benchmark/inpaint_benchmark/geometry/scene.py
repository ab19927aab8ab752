"""The pictures that the geometry is measured with: photos by size, content and noise, and their masks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

#: Grain, levels: with it 12 megapixels are a PNG of about 18 MB, as those of a camera are. Without, an encoder has an
#: easier time than with any photo.
_NOISE = 3.0
#: The edit covers this box, as shares of the sides: about a tenth of the picture.
_BOX = (0.35, 0.4, 0.65, 0.73)


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo and its mask as files."""

    source: bytes
    mask: bytes


def make_scene(picture: Path, width: int, height: int) -> Scene:
    """`picture` as a photo of this size, JPEG of quality 97; its mask is an ellipse over a tenth of it, PNG."""
    with Image.open(picture) as opened:
        sides = np.asarray(opened.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), np.float32)
    noise = np.random.default_rng(1).normal(0, _NOISE, sides.shape).astype(np.float32)
    photo = Image.fromarray(np.clip(np.rint(sides + noise), 0, 255).astype(np.uint8))
    mask = Image.new("L", (width, height))
    box = [share * side for share, side in zip(_BOX, (width, height) * 2, strict=True)]
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return Scene(_bytes(photo, "JPEG", quality=97), _bytes(mask, "PNG"))


def _bytes(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
