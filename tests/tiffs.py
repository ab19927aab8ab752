"""TIFF written by hand, uncompressed: depths, orientations and extra samples that no library here writes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

_SHORT, _LONG, _BYTES = 3, 4, 7


def write_tiff(
    samples: npt.NDArray[Any],
    *,
    orientation: int = 1,
    profile: bytes = b"",
    extra: int | None = None,
    big_endian: bool = False,
    ink: bool = False,
) -> bytes:
    """A TIFF of uint8 or uint16, H x W or H x W x C. `extra`: 0 unspecified, 1 premultiplied, 2 transparency.

    `ink`: the four channels are CMYK.
    """
    order = ">" if big_endian else "<"
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    bits = samples.dtype.itemsize * 8
    pixels = samples.astype(np.dtype(f"{order}u{bits // 8}")).tobytes()
    tags: list[tuple[int, int, list[int] | bytes]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [bits] * channels),
        (259, _SHORT, [1]),
        (262, _SHORT, [5 if ink else 1 if channels <= 2 else 2]),
        (273, _LONG, [8]),
        (274, _SHORT, [orientation]),
        (277, _SHORT, [channels]),
        (278, _LONG, [height]),
        (279, _LONG, [len(pixels)]),
        (284, _SHORT, [1]),
    ]
    if extra is not None:
        tags.append((338, _SHORT, [extra]))
    if profile:
        tags.append((34_675, _BYTES, profile))
    pixels += bytes(len(pixels) % 2)
    directory, far = 8 + len(pixels), b""
    after = directory + 2 + 12 * len(tags) + 4
    entries = struct.pack(f"{order}H", len(tags))
    for tag, kind, values in tags:
        content = values if isinstance(values, bytes) else _numbers(order, kind, values)
        where = content.ljust(4, b"\0") if len(content) <= 4 else struct.pack(f"{order}I", after + len(far))
        far += b"" if len(content) <= 4 else content + bytes(len(content) % 2)
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + where
    start = struct.pack(f"{order}2sHI", b"MM" if big_endian else b"II", 42, directory)
    return start + pixels + entries + bytes(4) + far


def _numbers(order: str, kind: int, values: list[int]) -> bytes:
    return struct.pack(f"{order}{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
