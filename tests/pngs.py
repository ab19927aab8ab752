"""PNG written and read by hand, after the standard: what no library here writes, and a decoder of our own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: First row and column, and the steps between rows and columns, of the passes of an interlaced picture.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def write_png(
    samples: Samples,
    kind: int,
    bits: int = 8,
    *,
    palette: Samples | None = None,
    transparent: bytes = b"",
    profile: bytes = b"",
    gamma: float = 0,
    orientation: int = 1,
    interlaced: bool = False,
    last: bytes = b"",
) -> bytes:
    """A PNG of samples H x W (grey, palette) or H x W x C. `transparent`: content of tRNS; `last`: follows IDAT."""
    height, width = samples.shape[:2]
    parts = [_SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced)))]
    if profile:
        parts.append(_chunk(b"iCCP", b"by hand\0\0" + zlib.compress(profile)))
    if gamma:
        parts.append(_chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000))))
    if orientation != 1:
        parts.append(_chunk(b"eXIf", exif(orientation)))
    if palette is not None:
        parts.append(_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparent:
        parts.append(_chunk(b"tRNS", transparent))
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    packed = b"".join(_packed(samples[top::down, left::across], bits) for top, left, down, across in passes)
    return b"".join([*parts, _chunk(b"IDAT", zlib.compress(packed, 1)), last, _chunk(b"IEND", b"")])


def exif(orientation: int) -> bytes:
    """EXIF with nothing but the orientation."""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"


def read_png(data: bytes) -> tuple[Samples, Samples | None, bytes]:
    """Pixels (H x W x 3), transparency (H x W) and profile of a PNG in RGB or RGBA of 8 or 16 bits, as outputs are."""
    chunks = list(_chunks(data))
    width, height, bits, kind, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert rest == [0, 0, 0] and kind in (RGB, RGBA) and bits in (8, 16)
    channels = 3 if kind == RGB else 4
    raw = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    lines = _unfiltered(np.frombuffer(raw, np.uint8).reshape(height, -1), channels * bits // 8)
    whole = lines.view(">u2").astype(np.uint16) if bits == 16 else lines
    samples = whole.reshape(height, width, channels)
    profiles = [zlib.decompress(content.split(b"\0", 1)[1][1:]) for name, content in chunks if name == b"iCCP"]
    return samples[..., :3], samples[..., 3] if channels == 4 else None, b"".join(profiles)


def _packed(samples: Samples, bits: int) -> bytes:
    """Rows, each after a byte that says it is not filtered."""
    if not samples.size:
        return b""
    flat = samples.reshape(len(samples), -1)
    if bits == 16:
        rows = flat.astype(">u2").view(np.uint8)
    elif bits == 8:
        rows = flat.astype(np.uint8)
    else:
        places = np.arange(bits - 1, -1, -1)
        rows = np.packbits((flat[..., None] >> places & 1).astype(np.uint8).reshape(len(flat), -1), axis=1)
    return np.hstack([np.zeros((len(rows), 1), np.uint8), rows]).tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert data.startswith(_SIGNATURE)
    at = len(_SIGNATURE)
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(name + content),)
        yield name, content
        at += 12 + length


def _unfiltered(rows: Samples, step: int) -> Samples:
    lines = np.zeros((len(rows), rows.shape[1] - 1), np.uint8)
    above = np.zeros(rows.shape[1] - 1, np.uint8)
    for kind, row, line in zip(rows[:, 0], rows[:, 1:], lines, strict=True):
        if kind == 0:
            line[:] = row
        elif kind == 1:
            line[:] = np.cumsum(row.reshape(-1, step), axis=0, dtype=np.uint8).reshape(-1)
        elif kind == 2:
            line[:] = row + above
        else:
            _predicted(int(kind), row, line, above, step)
        above = line
    return lines


def _predicted(kind: int, row: Samples, line: Samples, above: Samples, step: int) -> None:
    """The filters Average (3) and Paeth (4), byte by byte."""
    for i, value in enumerate(row.tolist()):
        left, up = (int(line[i - step]) if i >= step else 0), int(above[i])
        if kind == 3:
            guess = (left + up) // 2
        else:
            corner = int(above[i - step]) if i >= step else 0
            guess = min((left, up, corner), key=lambda near: abs(left + up - corner - near))
        line[i] = (value + guess) % 256
