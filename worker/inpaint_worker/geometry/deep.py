"""Pictures with 16 bits a sample, which Pillow reads with 8: decoded in full, upright."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_core.errors import UnreadableImage
from PIL import Image

from inpaint_worker.arrays import Samples


def decode(data: bytes, image: Image.Image, orientation: int) -> tuple[Samples, Samples | None]:
    """Pixels (H x W x 3) and transparency (H x W) of a deep picture, uint16.

    `image` is what Pillow made of it, upright, and `orientation` how it lay. `UnreadableImage` if its pixels are
    damaged.
    """
    if image.mode.startswith("I;16"):
        return _grey(image)
    pixels, alpha = _coloured(data, image)
    if image.format == "TIFF" or orientation == 1:  # OpenCV turns a TIFF by itself, whatever it is told
        return pixels, alpha
    return turned(pixels, orientation), None if alpha is None else turned(alpha, orientation)


def turned(samples: Samples, orientation: int) -> Samples:
    """The picture as displayed, by its EXIF orientation (1 to 8)."""
    across, down, flipped = samples[:, ::-1], samples[::-1], samples.swapaxes(0, 1)
    views = {
        2: across,
        3: down[:, ::-1],
        4: down,
        5: flipped,
        6: flipped[:, ::-1],
        7: flipped[::-1, ::-1],
        8: flipped[::-1],
    }
    return np.ascontiguousarray(views.get(orientation, samples))


def _grey(image: Image.Image) -> tuple[Samples, Samples | None]:
    # Pillow keeps 16 bits of grey, and knows of a transparent value, which OpenCV drops.
    grey = np.asarray(image).astype(np.uint16)
    key = image.info.get("transparency")
    alpha = None if key is None else np.where(grey == key, 0, 65_535).astype(np.uint16)
    return np.repeat(grey[..., None], 3, axis=2), alpha


def _coloured(data: bytes, image: Image.Image) -> tuple[Samples, Samples | None]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] not in (3, 4):
        raise UnreadableImage(
            f"The source, a {image.format} of 16 bits a sample, cannot be decoded. It is probably truncated or "
            "damaged; export it again.",
            what="source",
        )
    pixels = np.ascontiguousarray(decoded[..., 2::-1])
    # The fourth sample of a TIFF may mean something else.
    transparent = decoded.shape[2] == 4 and (image.mode == "RGBA" or "transparency" in image.info)
    return pixels, np.ascontiguousarray(decoded[..., 3]) if transparent else None
