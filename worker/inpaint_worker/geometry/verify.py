"""The proof that goes with every job: what is about to be stored, decoded again and compared with the source."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from inpaint_core.errors import PreservationFailed
from PIL import Image

from inpaint_worker.arrays import Region, Samples
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.encode import Encoded, on_white

#: Rows that are compared at a time, so that the comparison needs little memory of its own.
_ROWS = 256
_REPORT = "Nothing was stored. This is a fault of the worker or of its memory; please report it."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an output must be."""

    #: H x W x 3: what it must be outside of what may change.
    source: Samples
    #: The same with what was painted: what it must be everywhere.
    picture: Samples
    #: H x W: its transparency, everywhere; None if it has none.
    alpha: Samples | None
    profile: bytes | None
    may_change: Region


def verify_exact(encoded: Encoded, wanted: Wanted) -> int:
    """0: how many pixels outside of what may change differ from the source; `PreservationFailed` if any does.

    The same if the output is not the picture that was put together, or has another transparency or colour profile.
    """
    found, alpha, profile = _decode(encoded.data, deep=wanted.picture.dtype == np.uint16)
    shape = _shape(found, alpha)
    if shape != _shape(wanted.picture, wanted.alpha):
        raise PreservationFailed(
            f"The output would have been {shape}, and the source is {_shape(wanted.picture, wanted.alpha)}. {_REPORT}"
        )
    if changed := _count_changed(found, wanted.source, wanted.may_change):
        raise PreservationFailed(
            f"{changed:,} pixels outside the edit region would have changed. {_REPORT}", pixels=changed
        )
    if wanted.alpha is not None and alpha is not None and not np.array_equal(alpha, wanted.alpha):
        raise PreservationFailed(f"The transparency of the picture would have changed. {_REPORT}")
    if not np.array_equal(found, wanted.picture):
        raise PreservationFailed(f"The output would not have been what was painted. {_REPORT}")
    if profile != wanted.profile:
        raise PreservationFailed(f"The colour profile of the picture would have been lost. {_REPORT}")
    return 0


def count_changed_lossy(encoded: Encoded, wanted: Wanted) -> int:
    """How many pixels outside of what may change differ in an output with loss, at 8 bits, transparency included."""
    source = to_eight_bits(wanted.source)
    alpha = None if wanted.alpha is None else to_eight_bits(wanted.alpha)
    if alpha is not None and encoded.format == "JPEG":
        source, alpha = on_white(source, alpha), None
    try:
        with Image.open(io.BytesIO(encoded.data)) as image:
            found = np.asarray(image.convert("RGB" if alpha is None else "RGBA"))
    except (OSError, SyntaxError, ValueError):
        raise _undecodable() from None
    if found.shape[:2] != source.shape[:2]:
        raise PreservationFailed(f"The output would have been of another size. {_REPORT}")
    return _count_changed(found, source if alpha is None else np.dstack([source, alpha]), wanted.may_change)


def _decode(data: bytes, *, deep: bool) -> tuple[Samples, Samples | None, bytes | None]:
    """By libraries that have no part in encoding it: Pillow, and OpenCV for 16 bits of colour, which Pillow drops."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            profile = image.info.get("icc_profile")
            decoded = None if deep else np.asarray(image)
    except (OSError, SyntaxError, ValueError):
        raise _undecodable() from None
    if decoded is not None:
        if decoded.ndim == 3 and decoded.shape[2] == 4:
            return decoded[..., :3], decoded[..., 3], profile
        return decoded, None, profile
    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None:
        raise _undecodable()
    if planes.ndim != 3:
        return planes, None, profile
    return planes[..., 2::-1], planes[..., 3] if planes.shape[2] == 4 else None, profile


def _undecodable() -> PreservationFailed:
    return PreservationFailed(f"The output that was just encoded could not be decoded. {_REPORT}")


def _count_changed(found: Samples, wanted: Samples, may_change: Region) -> int:
    count = 0
    for first in range(0, len(wanted), _ROWS):
        rows = slice(first, first + _ROWS)
        differs = found[rows] != wanted[rows]
        if differs.any():  # most rows lie above or below the region, and are done with this
            pixels = differs[..., 0]
            for channel in range(1, differs.shape[2]):
                pixels = pixels | differs[..., channel]
            count += int(np.count_nonzero(pixels & ~may_change[rows]))
    return count


def _shape(pixels: Samples, alpha: Samples | None) -> str:
    kind = ("RGB" if alpha is None else "RGBA") if pixels.ndim == 3 else "grey"
    return f"{pixels.shape[1]}x{pixels.shape[0]} {kind} of {pixels.dtype.itemsize * 8} bits"
