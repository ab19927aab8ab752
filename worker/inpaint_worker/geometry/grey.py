"""Grey with a colour profile as sRGB: by the profile's own curve, in floating point, so that 16 bits stay 16 bits."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from inpaint_worker.arrays import Samples, white
from inpaint_worker.geometry.colour import ProfileUnusable

_Curve = npt.NDArray[np.float64]


def grey_to_srgb(samples: Samples, profile: bytes) -> Samples:
    """H x W of grey, uint8 or uint16, in sRGB and the same depth; `ProfileUnusable` if the profile has no curve."""
    top = white(samples)
    light = _to_light(np.arange(top + 1) / top, _curve(profile))
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(np.clip(srgb, 0, 1) * top), samples.dtype)[samples]


def _curve(profile: bytes) -> bytes:
    """The content of the tag kTRC (ICC.1:2022, 7.3 and 9.2.29)."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for number in range(min(count, 1000)):
            name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            if name == b"kTRC" and offset + size <= len(profile):
                return profile[offset : offset + size]
    except struct.error:
        pass
    raise ProfileUnusable("it has no curve for grey")


def _to_light(values: _Curve, curve: bytes) -> _Curve:
    """Linear light for values of 0 to 1: curveType and parametricCurveType (ICC.1:2022, 10.6 and 10.18)."""
    try:
        (count,) = struct.unpack_from(">I", curve, 8)
        if curve[:4] == b"curv":
            if count == 0:
                return values
            points = np.array(struct.unpack_from(f">{min(count, 70_000)}H", curve, 12))
            if count == 1 and points[0] > 0:
                return np.asarray(values ** (points[0] / 256))
            if count == 1:
                raise ProfileUnusable("its curve for grey is no curve")
            return np.interp(values, np.linspace(0, 1, len(points)), points / 65_535)
        if curve[:4] == b"para":
            kind = count >> 16
            g, *rest = (value / 65_536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", curve, 12))
            if g <= 0:
                raise ProfileUnusable("its curve for grey is no curve")
            return _parametric(values, kind, g, rest)
    except (struct.error, IndexError):
        pass
    raise ProfileUnusable("its curve for grey is damaged")


def _parametric(x: _Curve, kind: int, g: float, rest: list[float]) -> _Curve:
    a, b, c, d, e, f = (*rest, *[0.0] * (6 - len(rest)))
    if kind == 0:
        return np.asarray(x**g)
    bent = np.maximum(a * x + b, 0) ** g
    if kind in (1, 2):
        start = -b / a if a else 0.0
        return np.where(x >= start, bent + c, c)
    return np.where(x >= d, bent + (e if kind == 4 else 0), c * x + (f if kind == 4 else 0))
