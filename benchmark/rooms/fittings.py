"""Lamps, a bath, and what lies about."""

from __future__ import annotations

import math

import numpy as np
from shapes import Point, box, flow, sheet, tube, turned


def table_lamp(base: str, shade: str) -> None:
    """Stand a lamp with a teardrop base and a drum shade on a table."""
    body = [
        (0, 0),
        (0.062, 0),
        (0.066, 0.012),
        (0.095, 0.06),
        (0.102, 0.11),
        (0.085, 0.17),
        (0.05, 0.225),
        (0.024, 0.27),
        (0.018, 0.3),
        (0, 0.3),
    ]
    turned(body, base, 70)
    tube([(0, 0, 0.29), (0, 0, 0.36)], 0.007, "brass")
    turned([(0.165, 0.30), (0.13, 0.52), (0.128, 0.52), (0.163, 0.30), (0.165, 0.30)], shade)
    turned([(0.1655, 0.300), (0.1665, 0.305), (0.1635, 0.312)], "cotton")
    turned([(0.0, 0.505), (0.13, 0.515)], shade)


def floor_lamp(metal: str, shade: str) -> None:
    """Stand a lamp on a tall bent rod on the floor; it leans towards x."""
    turned([(0, 0), (0.14, 0), (0.14, 0.02), (0.02, 0.03), (0, 0.03)], metal)
    tube(flow([(0, 0, 0.02), (0, 0, 0.9), (0.02, 0, 1.45), (0.16, 0, 1.68), (0.34, 0, 1.62)], 50), 0.011, metal)
    hood = turned([(0.03, 0.16), (0.06, 0.13), (0.15, 0.0), (0.147, 0.0), (0.055, 0.12), (0, 0.15)], shade)
    hood.location = (0.36, 0, 1.47)


def pendant(drop: float, radius: float, paint: str) -> None:
    """Hang a lamp from the ceiling at the origin."""
    tube([(0, 0, 0), (0, 0, -drop)], 0.004, "black")
    turned([(0.05, 0), (0.05, -0.02), (0, -0.02)], "black")
    hood = [
        (0.02, 0.05),
        (0.025, 0.01),
        (0.20 * radius, -0.02),
        (radius, -0.6 * radius),
        (0.985 * radius, -0.6 * radius),
        (0.19 * radius, -0.03),
        (0, -0.02),
    ]
    turned(hood, paint, 0, (0, 0, -drop))
    turned([(0, -0.05), (0.045, -0.09), (0.045, -0.13), (0, -0.16)], "bulb", 30, (0, 0, -drop))


def bath(size: list[float], paint: str) -> None:
    """Stand an oval bath on the floor, with a filler pipe at its far side."""
    wide, deep, tall = size[0] / 2, size[1] / 2, size[2]
    profile = flow(
        [
            (0, 0.0),
            (0.74, 0.0),
            (0.78, 0.03),
            (0.84, 0.35),
            (0.97, 0.93),
            (1.0, 0.985),
            (0.985, 1.0),
            (0.94, 0.985),
            (0.88, 0.85),
            (0.76, 0.35),
            (0.6, 0.16),
            (0, 0.13),
        ],
        90,
    )

    def wall(u: float, v: float) -> Point:
        r, z = profile[round((v + 1) / 2 * (len(profile) - 1))]
        turn = math.pi * u
        swell = 1 + 0.10 * math.cos(turn) ** 2 * z  # the ends rise
        return wide * r * math.cos(turn), deep * r * math.sin(turn), tall * z * swell

    sheet(wall, paint, (96, len(profile) - 1))
    pipe = [
        (0, deep + 0.07, 0),
        (0, deep + 0.07, tall + 0.30),
        (0, deep + 0.04, tall + 0.37),
        (0, deep - 0.06, tall + 0.37),
        (0, deep - 0.09, tall + 0.31),
    ]
    tube(flow(pipe, 50), 0.014, "brass")
    for x in (-0.07, 0.07):
        tube([(0, deep + 0.07, tall + 0.08), (x, deep + 0.07, tall + 0.08)], 0.011, "brass")
        tube([(x, deep + 0.07, tall + 0.05), (x, deep + 0.07, tall + 0.115)], 0.014, "brass")


def laptop(paint: str) -> None:
    """Open a small computer; it faces -y."""
    box((-0.16, -0.11, 0), (0.16, 0.11, 0.014), paint, 0.004)
    box((-0.145, -0.01, 0.0135), (0.145, 0.095, 0.0155), "black", 0.001)
    box((-0.05, -0.095, 0.0135), (0.05, -0.025, 0.0148), "steel", 0.001)
    lid = box((-0.16, 0, 0), (0.16, 0.008, 0.215), paint, 0.003)
    glass = box((-0.15, -0.001, 0.012), (0.15, 0.001, 0.205), "screen")
    for part in (lid, glass):
        middle = np.array(part.location)
        tilt = math.radians(-18)
        turned_z = middle[2] * math.cos(tilt) + middle[1] * math.sin(tilt)
        turned_y = middle[1] * math.cos(tilt) - middle[2] * math.sin(tilt)
        part.location, part.rotation_euler = (0, 0.105 + turned_y, 0.012 + turned_z), (tilt, 0, 0)


def pens(paint: str) -> None:
    """Put a few pens into a cup."""
    turned([(0, 0), (0.038, 0), (0.04, 0.004), (0.04, 0.1), (0.036, 0.1), (0.036, 0.01)], paint)
    for k, ink in enumerate(("black", "red", "oak", "blue", "ochre")):
        angle = 1.3 * k
        x, y = 0.03 * math.cos(angle), 0.03 * math.sin(angle)
        tube([(-0.5 * x, -0.5 * y, 0.01), (1.25 * x, 1.25 * y, 0.17 + 0.006 * k)], 0.0035, ink)
