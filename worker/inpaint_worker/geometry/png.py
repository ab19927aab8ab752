"""Writing PNG: each row as its difference from the one above, compressed by Intel's ISA-L.

The container is a few lines; what takes time is deflate, and ISA-L's is two to five times as fast as that of any
library which writes whole files (docs/benchmarks.md has them). Every file is read back by another library before it
is stored (`inpaint_worker.geometry.verify`). PNG specification, third edition: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from isal import isal_zlib

from inpaint_worker.arrays import Pixels, Samples

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Colour type by the number of samples of a pixel: grey, RGB, RGB with transparency.
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
_FILTER_UP = 2
#: ISA-L's levels go from 0 to 3. Level 1 costs nothing over 0 and keeps flat areas small.
_LEVEL = 1


def write_png(samples: Samples, profile: bytes | None = None) -> bytes:
    """H x W (grey) or H x W x 3 or 4 (RGB, RGBA), uint8 or uint16, with its ICC profile."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    header = struct.pack(">IIBBBBB", width, height, samples.dtype.itemsize * 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [_SIGNATURE, *_chunk(b"IHDR", header)]
    if profile:
        parts += _chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile))
    # Both let go of the interpreter's lock, each in one call: many small ones would wait for it each time.
    parts += _chunk(b"IDAT", isal_zlib.compress(_filtered(_rows(samples)), _LEVEL))
    return b"".join([*parts, *_chunk(b"IEND", b"")])


def _rows(samples: Samples) -> Pixels:
    """H x bytes of a row; samples of 16 bits have their high byte first."""
    if samples.dtype == np.uint16:
        samples = samples.astype(">u2")
    return np.ascontiguousarray(samples).view(np.uint8).reshape(len(samples), -1)


def _filtered(rows: Pixels) -> Pixels:
    """Each row behind the number of its filter, as its difference from the row above."""
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    checksum = isal_zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)
