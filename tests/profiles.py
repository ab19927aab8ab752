"""Colour profiles written by hand (ICC.1:2001-04: matrix and curve, or grey), and the colour math to check them by."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: Primaries as x and y, red, green and blue, and the white D65.
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_D65, _D50 = (0.3127, 0.3290), np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(
    primaries: Any = ADOBE, gamma: float = 2.19921875, name: str = "Wide by hand", *, size: int = 0
) -> bytes:
    """A profile for displays with these primaries, white D65 and one gamma. It can be filled up to a size in bytes."""
    matrix = to_xyz(primaries)
    columns = {f"{channel}XYZ": _xyz(matrix[:, i]) for i, channel in enumerate("rgb")}
    curves = {f"{channel}TRC": _gamma(gamma) for channel in "rgb"}
    tags = {"desc": _text(name), "wtpt": _xyz(_D50), **columns, **curves}
    if size:
        tags["mine"] = b"data\0\0\0\0"
        tags["mine"] += np.random.default_rng(0).bytes(size - len(_profile(b"RGB ", tags)))
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float = 1.0, name: str = "Grey by hand") -> bytes:
    """A profile for grey with one gamma."""
    return _profile(b"GRAY", {"desc": _text(name), "wtpt": _xyz(_D50), "kTRC": _gamma(gamma)})


def to_xyz(primaries: Any) -> Array:
    """The matrix from linear RGB to XYZ as profiles hold it, seen by an eye adapted to D50 (Bradford)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = _D65
    white = np.array([x / y, 1, (1 - x - y) / y])
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return adapted @ columns @ np.diag(np.linalg.solve(columns, white))


def as_srgb(pixels: Array, primaries: Any = ADOBE, gamma: float = 2.19921875) -> Array:
    """8-bit RGB with these primaries as sRGB, 0 to 255, not rounded."""
    linear = (pixels / 255.0) ** gamma @ to_xyz(primaries).T @ np.linalg.inv(to_xyz(SRGB)).T
    return 255 * encoded_srgb(np.clip(linear, 0, 1))


def from_srgb(pixels: Array, primaries: Any = ADOBE, gamma: float = 2.19921875) -> Array:
    """8-bit sRGB as RGB with these primaries, 0 to 255, not rounded."""
    share = pixels / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    other = linear @ to_xyz(SRGB).T @ np.linalg.inv(to_xyz(primaries)).T
    return 255 * np.clip(other, 0, 1) ** (1 / gamma)


def encoded_srgb(linear: Array) -> Array:
    """Linear light, 0 to 1, by the curve of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def _profile(space: bytes, tags: dict[str, bytes], kind: bytes = b"mntr", between: bytes = b"XYZ ") -> bytes:
    at, entries, contents = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        entries += struct.pack(">4sII", name.encode(), at + len(contents), len(content))
        contents += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s6H4s", at + len(contents), b"", 0x02400000, kind, space, between,
                         2020, 1, 1, 0, 0, 0, b"acsp")  # fmt: skip
    header += bytes(24) + struct.pack(">I", 0) + _numbers(*_D50)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + entries + contents


def _numbers(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))


def _xyz(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + _numbers(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def _text(name: str) -> bytes:
    plain = name.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(plain)) + plain + bytes(4 + 4 + 2 + 1 + 67)


def cmyk_profile(name: str = "Ink by hand") -> bytes:
    """A profile for CMYK that knows the 16 mixtures of full inks, and `ink_as_srgb` what they look like."""
    corners = np.array([_ink_in_lab(np.array(inks)) for inks in itertools.product((0, 1), repeat=4)])
    tags = {"desc": _text(name), "wtpt": _xyz(_D50), "A2B0": _table(4, corners)}
    return _profile(b"CMYK", tags, b"prtr", b"Lab ")


def ink_as_srgb(inks: Array) -> Array:
    """Full inks or none (0 or 255 each of C, M, Y and K) by `cmyk_profile`, as sRGB, 0 to 255, not rounded."""
    return _lab_as_srgb(_ink_in_lab(inks / 255))


def scanner_profile(name: str = "Scanner by hand") -> bytes:
    """A profile for RGB that only tells how to read it: a table of the 8 corners of its cube, and no way back."""
    corners = np.array([_scanned_in_lab(np.array(rgb)) for rgb in itertools.product((0, 1), repeat=3)])
    tags = {"desc": _text(name), "wtpt": _xyz(_D50), "A2B0": _table(3, corners)}
    return _profile(b"RGB ", tags, b"scnr", b"Lab ")


def scanned_as_srgb(rgb: Array) -> Array:
    """A corner of the cube (0 or 255 each of R, G and B) by `scanner_profile`, as sRGB, 0 to 255, not rounded."""
    return _lab_as_srgb(_scanned_in_lab(rgb / 255))


def _scanned_in_lab(rgb: Array) -> Array:
    red, green, blue = rgb
    return np.array([100 * (0.3 * red + 0.6 * green + 0.1 * blue), 12 * (red - green), 12 * (green - blue)])


def _table(channels: int, corners: Array) -> bytes:
    """A table of 8 bits (lut8Type) from the corners of a cube, last channel fastest, to Lab."""
    grid = np.rint(np.column_stack([corners[:, 0] * 2.55, corners[:, 1:] + 128])).astype(np.uint8)
    ramp, identity = bytes(range(256)), _numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return b"mft1\0\0\0\0" + bytes([channels, 3, 2, 0]) + identity + ramp * channels + grid.tobytes() + ramp * 3


def _lab_as_srgb(lab: Array) -> Array:
    lightness, a, b = np.rint(lab)
    middle = (lightness + 16) / 116
    shares = np.array([middle + a / 500, middle, middle - b / 200])
    xyz = _D50 * np.where(shares > 6 / 29, shares**3, (shares - 4 / 29) * 3 * (6 / 29) ** 2)
    return 255 * encoded_srgb(np.clip(np.linalg.inv(to_xyz(SRGB)) @ xyz, 0, 1))


def _ink_in_lab(inks: Array) -> Array:
    """A pale world: no ink is white, black is black, and others tint what is left."""
    cyan, magenta, yellow, black = inks
    left = 1 - black
    lightness = 100 * left * (1 - 0.3 * cyan) * (1 - 0.4 * magenta) * (1 - 0.1 * yellow)
    return np.array([lightness, left * (20 * magenta - 15 * cyan), left * (25 * yellow - 15 * cyan)])


def renamed(profile: bytes, name: str | bytes) -> bytes:
    """The same profile by another name: a text, or UTF-16 that need not be one."""
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    tags = {tag.decode(): profile[at : at + size] for tag, at, size in entries}
    tags["desc"] = _text(name) if isinstance(name, str) else _wide_text(name)
    return _profile(profile[16:20], tags, profile[12:16], profile[20:24])


def spaced(profile: bytes, space: bytes) -> bytes:
    """The same profile that says it is for colours of another kind, in four bytes."""
    return profile[:16] + space + profile[20:]


def _wide_text(utf16: bytes) -> bytes:
    header = b"mluc\0\0\0\0" + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(utf16), 28)
    return header + utf16
