"""Turned and glazed things: plates, bowls, cups, teapots, jugs, vases."""

from __future__ import annotations

import bpy
import numpy as np
from shapes import flow, tube, turned

PLATE = [(0, 0.004), (0.55, 0.004), (0.62, 0.0), (0.66, 0.006), (0.74, 0.03), (1.0, 0.13), (1.0, 0.15), (0.74, 0.06)]
BOWL = [(0, 0.02), (0.38, 0.02), (0.40, 0), (0.45, 0.02), (0.75, 0.22), (0.95, 0.52), (1, 0.72), (0.97, 0.73)]
CUP = [(0, 0.02), (0.45, 0.02), (0.5, 0), (0.55, 0.05), (0.85, 0.5), (0.97, 1.1), (1, 1.5), (0.95, 1.5), (0.9, 1.1)]
POT = [(0, 0), (0.55, 0), (0.6, 0.05), (0.95, 0.5), (1, 0.85), (0.85, 1.25), (0.5, 1.5), (0.42, 1.55)]
LID = [(0.44, 1.54), (0.40, 1.60), (0.2, 1.69), (0.09, 1.72), (0.08, 1.78), (0.14, 1.86), (0.10, 1.94), (0, 1.95)]
JUG = [
    (0, 0),
    (0.6, 0),
    (0.68, 0.05),
    (0.95, 0.6),
    (0.92, 1.2),
    (0.62, 1.9),
    (0.6, 2.2),
    (0.76, 2.6),
    (0.71, 2.6),
    (0.55, 2.2),
]
VASES = {
    "bottle": [(0, 0), (0.8, 0), (0.9, 0.1), (1, 0.9), (0.85, 1.6), (0.35, 2.2), (0.25, 2.8), (0.3, 3.3), (0.24, 3.3)],
    "bulb": [
        (0, 0),
        (0.6, 0),
        (0.7, 0.06),
        (1, 0.7),
        (0.9, 1.3),
        (0.5, 1.75),
        (0.42, 1.95),
        (0.52, 2.1),
        (0.45, 2.1),
        (0.3, 1.9),
    ],
    "tall": [(0, 0), (0.7, 0), (0.78, 0.08), (1, 2.2), (0.9, 3.4), (0.62, 4.0), (0.6, 4.3), (0.52, 4.3), (0.5, 4.0)],
    "cylinder": [(0, 0), (0.97, 0), (1, 0.04), (1, 2.2), (0.98, 2.24), (0.92, 2.22), (0.9, 2.0), (0.9, 1.6), (0, 1.6)],
}


def scaled(profile: list[tuple[float, float]], radius: float) -> list[tuple[float, float]]:
    """Bring a profile of radius 1 to size."""
    return [(r * radius, z * radius) for r, z in profile]


def vase(shape: str, radius: float, paint: str) -> None:
    """Turn a vase on the wheel."""
    turned(scaled(VASES[shape], radius), paint, 60)


def plates(count: int, radius: float, paint: str = "china") -> None:
    """Stack plates."""
    for k in range(count):
        turned(scaled([*PLATE, (0, 0.045)], radius), paint, 50, (0, 0, k * radius * 0.075))


def bowls(count: int, radius: float, paint: str = "china") -> None:
    """Stack bowls."""
    inside = [(r * 0.94, z * 0.98 + 0.03) for r, z in reversed(BOWL[3:7])]
    for k in range(count):
        turned(scaled([*BOWL, *inside, (0, 0.06)], radius), paint, 60, (0, 0, k * radius * 0.2))


def handle(points: list[tuple[float, float]], thick: float, paint: str) -> None:
    """Bend a handle in the x-z plane."""
    tube(flow([(x, 0, z) for x, z in points], 28), thick, paint)


def cups(count: int, radius: float, paint: str = "china") -> None:
    """Set cups on saucers side by side, their handles to the right."""
    for k in range(count):
        before = set(bpy.data.objects)
        turned(scaled([*PLATE, (0, 0.045)], radius * 1.7), paint, 40)
        turned(scaled([*CUP, (0, 0.1)], radius), paint, 50, (0, 0, radius * 0.09))
        handle(
            [(x * radius, (z + 0.09) * radius) for x, z in ((0.9, 1.25), (1.45, 1.2), (1.4, 0.65), (0.8, 0.5))],
            radius * 0.09,
            paint,
        )
        for part in set(bpy.data.objects) - before:
            part.location.x += k * radius * 3.7


def teapot(radius: float, paint: str = "china") -> None:
    """Make a teapot: spout to the left, handle to the right."""
    turned(scaled(POT, radius), paint, 60)
    turned(scaled(LID, radius), paint, 50)
    spout = flow(
        [(x * radius, 0, z * radius) for x, z in ((-0.8, 0.5), (-1.25, 0.7), (-1.45, 1.15), (-1.75, 1.42))], 30
    )
    tube(spout, (np.linspace(0.26, 0.12, 30) * radius).tolist(), paint)
    handle(
        [(x * radius, z * radius) for x, z in ((0.75, 1.3), (1.35, 1.45), (1.6, 1.0), (1.35, 0.55), (0.9, 0.45))],
        radius * 0.09,
        paint,
    )


def jug(radius: float, paint: str = "china") -> None:
    """Make a tall jug, its handle to the right."""
    turned(scaled(JUG, radius), paint, 70)
    handle(
        [(x * radius, z * radius) for x, z in ((0.6, 2.3), (1.3, 2.3), (1.4, 1.5), (0.88, 0.9))], radius * 0.1, paint
    )
