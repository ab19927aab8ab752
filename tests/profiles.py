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


def rgb_profile(primaries: Any = ADOBE, gamma: float = 2.19921875, name: str = "Wide by hand") -> bytes:
    """A profile for displays with these primaries, white D65 and one gamma."""
    matrix = to_xyz(primaries)
    columns = {f"{channel}XYZ": _xyz(matrix[:, i]) for i, channel in enumerate("rgb")}
    curves = {f"{channel}TRC": _gamma(gamma) for channel in "rgb"}
    return _profile(b"RGB ", {"desc": _text(name), "wtpt": _xyz(_D50), **columns, **curves})


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
    grid = np.rint(np.column_stack([corners[:, 0] * 2.55, corners[:, 1:] + 128])).astype(np.uint8)
    ramp, identity = bytes(range(256)), (1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _numbers(*identity) + ramp * 4 + grid.tobytes() + ramp * 3
    return _profile(b"CMYK", {"desc": _text(name), "wtpt": _xyz(_D50), "A2B0": table}, b"prtr", b"Lab ")


def ink_as_srgb(inks: Array) -> Array:
    """Full inks or none (0 or 255 each of C, M, Y and K) by `cmyk_profile`, as sRGB, 0 to 255, not rounded."""
    lightness, a, b = np.rint(_ink_in_lab(inks / 255))
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
