"""Pictures with 16 bits a sample, which Pillow reads with 8: decoded in full, and turned upright."""

from __future__ import annotations

import io

import cv2
import numpy as np
from inpaint_core.errors import UnreadableImage
from PIL import Image

from inpaint_worker.arrays import Samples


def decode(data: bytes, header: Image.Image) -> tuple[Samples, Samples | None]:
    """Pixels (H x W x 3) and transparency (H x W) of a deep picture, uint16, upright.

    `UnreadableImage` if its pixels are damaged.
    """
    orientation = int(header.getexif().get(0x0112, 1))
    if header.mode.startswith("I;16"):
        pixels, alpha = _grey(data)
    else:
        pixels, alpha = _coloured(data, str(header.format))
        if header.format == "TIFF":
            orientation = 1  # OpenCV turns a TIFF by itself, whatever it is told
    if orientation == 1:
        return pixels, alpha
    return turned(pixels, orientation), None if alpha is None else turned(alpha, orientation)


def turned(samples: Samples, orientation: int) -> Samples:
    """The picture as displayed, by its EXIF orientation (1 to 8)."""
    across, down = samples[:, ::-1], samples[::-1]
    flipped = samples.swapaxes(0, 1)
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


def _grey(data: bytes) -> tuple[Samples, Samples | None]:
    # Pillow keeps 16 bits of grey, and knows of a transparent value, which OpenCV drops.
    with Image.open(io.BytesIO(data), formats=("PNG", "TIFF")) as image:
        try:
            grey = np.asarray(image).astype(np.uint16)
        except (OSError, ValueError, SyntaxError) as error:
            raise _damaged(str(error)) from None
        key = image.info.get("transparency")
    alpha = None if key is None else np.where(grey == key, 0, 65_535).astype(np.uint16)
    return np.repeat(grey[..., None], 3, axis=2), alpha


def _coloured(data: bytes, kind: str) -> tuple[Samples, Samples | None]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] not in (3, 4):
        raise _damaged(f"a {kind} with 16 bits a sample")
    if decoded.shape[2] == 3:
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)), None
    return np.ascontiguousarray(decoded[..., 2::-1]), np.ascontiguousarray(decoded[..., 3])


def _damaged(why: str) -> UnreadableImage:
    return UnreadableImage(
        f"The source cannot be decoded ({why}). It is probably truncated or damaged; export it again.", what="source"
    )
