"""The proof that goes with every job: what is about to be stored, decoded again and compared with the source."""

from __future__ import annotations

import io

import cv2
import numpy as np
from inpaint_core.errors import PreservationFailed
from PIL import Image

from inpaint_worker.arrays import Region, Samples
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.encode import Encoded

#: Rows that are compared at a time, so that the comparison needs little memory of its own.
_ROWS = 256


def verify_exact(encoded: Encoded, pixels: Samples, alpha: Samples | None, may_change: Region) -> int:
    """0: how many pixels outside of what may change differ from the source; `PreservationFailed` if any does.

    `alpha` is the transparency that the output must have, everywhere.
    """
    found, transparency = _decode(encoded.data, deep=pixels.dtype == np.uint16)
    if found.shape != pixels.shape or found.dtype != pixels.dtype or (alpha is None) != (transparency is None):
        raise PreservationFailed(
            f"The output would have been {_shape(found, transparency)}, and the source is {_shape(pixels, alpha)}. "
            "Nothing was stored. This is a fault of the worker; please report it."
        )
    changed = _count_changed(found, pixels, may_change)
    if alpha is not None and transparency is not None:
        changed += int(np.count_nonzero(alpha != transparency))
    if changed:
        raise PreservationFailed(
            f"{changed:,} pixels outside the edit region would have changed. Nothing was stored. This is a fault of "
            "the worker or of its memory; please report it.",
            pixels=changed,
        )
    return 0


def count_changed_lossy(encoded: Encoded, pixels: Samples, may_change: Region) -> int:
    """How many pixels outside of what may change differ in an output with loss, at 8 bits."""
    with Image.open(io.BytesIO(encoded.data)) as image:
        return _count_changed(np.asarray(image.convert("RGB")), to_eight_bits(pixels), may_change)


def _decode(data: bytes, *, deep: bool) -> tuple[Samples, Samples | None]:
    """By libraries that have no part in encoding it: Pillow, and OpenCV for 16 bits of colour, which Pillow drops."""
    if not deep:
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                decoded = np.asarray(image)
        except (OSError, SyntaxError, ValueError):
            raise _undecodable() from None
        if decoded.ndim == 3 and decoded.shape[2] == 4:
            return decoded[..., :3], decoded[..., 3]
        return decoded, None
    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None:
        raise _undecodable()
    return planes[..., 2::-1], planes[..., 3] if planes.shape[2] == 4 else None


def _undecodable() -> PreservationFailed:
    return PreservationFailed("The output that was just encoded could not be decoded. Nothing was stored.")


def _count_changed(found: Samples, wanted: Samples, may_change: Region) -> int:
    count = 0
    for first in range(0, len(wanted), _ROWS):
        rows = slice(first, first + _ROWS)
        differs = found[rows] != wanted[rows]
        if differs.any():  # most rows lie above or below the region, and are done with this
            pixels = differs[..., 0] | differs[..., 1] | differs[..., 2]
            count += int(np.count_nonzero(pixels & ~may_change[rows]))
    return count


def _shape(pixels: Samples, alpha: Samples | None) -> str:
    kind = "RGB" if alpha is None else "RGBA"
    return f"{pixels.shape[1]}x{pixels.shape[0]} {kind} of {pixels.dtype.itemsize * 8} bits"
