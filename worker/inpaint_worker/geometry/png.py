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
#: Compressed in one call, without the interpreter's lock. Small bands wait for it each time, large ones take memory.
_BAND_BYTES = 32 << 20


def write_png(samples: Samples, profile: bytes | None = None) -> bytes:
    """H x W (grey) or H x W x 3 or 4 (RGB, RGBA), uint8 or uint16, with its ICC profile."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    header = struct.pack(">IIBBBBB", width, height, samples.dtype.itemsize * 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [_SIGNATURE, *_chunk(b"IHDR", header)]
    if profile:
        parts += _chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile))
    compressor = isal_zlib.compressobj(_LEVEL)
    step = max(1, _BAND_BYTES // (samples.nbytes // height))
    for first in range(0, height, step):
        parts += _chunk(b"IDAT", compressor.compress(_filtered(samples, first, first + step)))
    parts += _chunk(b"IDAT", compressor.flush())
    return b"".join([*parts, *_chunk(b"IEND", b"")])


def _filtered(samples: Samples, first: int, end: int) -> Pixels:
    """Rows from `first` to `end`, each behind the number of its filter, as its difference from the row above."""
    rows = _bytes(samples[max(0, first - 1) : end])
    if first == 0:
        rows = np.concatenate([np.zeros((1, rows.shape[1]), np.uint8), rows])
    filtered = np.empty((len(rows) - 1, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    np.subtract(rows[1:], rows[:-1], out=filtered[:, 1:])
    return filtered


def _bytes(samples: Samples) -> Pixels:
    """H x bytes of a row; samples of 16 bits have their high byte first."""
    if samples.dtype == np.uint16:
        samples = samples.astype(">u2")
    return np.ascontiguousarray(samples).view(np.uint8).reshape(len(samples), -1)


def _chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    checksum = isal_zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)
