"""Soft things: curtains, rugs, cushions, draped towels."""

from __future__ import annotations

import itertools
import math

import bpy
import numpy as np
from shapes import Point, box, mesh, sheet


def curtain(width: float, height: float, folds: float = 9, paint: str = "linen", sway: float = 0.7) -> None:
    """Hang a curtain along x, from its middle; the folds swing in y and open towards the floor."""

    def fold(u: float, v: float) -> Point:
        swing = math.sin(folds * math.pi * u + sway * v) * (0.045 - 0.012 * v) + 0.012 * math.sin(23 * u)
        return width / 2 * u * (1 - 0.08 * v), swing, height / 2 * (1 + v)

    sheet(fold, paint, (int(folds * 18), 40))


def rug(size: list[float], paint: str, border: list[str] | None = None, fringe: float = 0) -> None:
    """Lay a rug with rounded edges; ``border`` = [paint] adds stripes, ``fringe`` knotted threads at both ends."""
    wide, long = size
    bed = box((-0.5, -0.5, 0), (0.5, 0.5, 0.012), paint, 0)
    bed.scale = (wide, long, 1)  # left unapplied: a painted material spans -0.5 to 0.5
    for stripe in border or []:
        for side in (-1, 1):
            at = side * (wide / 2 - 0.1)
            box((at - 0.02, -long / 2, 0.001), (at + 0.02, long / 2, 0.0132), stripe)
            at = side * (long / 2 - 0.1)
            box((-wide / 2 + 0.08, at - 0.02, 0.001), (wide / 2 - 0.08, at + 0.02, 0.0131), stripe)
    if not fringe:
        return
    dice, points, faces = np.random.default_rng(7), [], []
    for side in (-1, 1):
        for x in np.arange(-wide / 2 + 0.004, wide / 2, 0.0085):
            lean, reach = dice.normal(0, 0.006), fringe * dice.uniform(0.8, 1.05)
            first = len(points)
            for t in np.linspace(0, 1, 4):
                y, z = side * (long / 2 + reach * t), 0.010 - 0.008 * min(1, 2 * t)
                at = x + lean * t * (1 + t)
                points += [(at - 0.003 + 0.001 * t, y, z), (at, y, z + 0.002), (at + 0.003 - 0.001 * t, y, z)]
            faces += [
                (first + 3 * j + i, first + 3 * j + i + 1, first + 3 * j + i + 4, first + 3 * j + i + 3)
                for j in range(3)
                for i in range(2)
            ]
    mesh("fringe", points, faces, "cotton")


def cushion(size: float, lean: list[float], paint: str) -> None:
    """Puff up a square cushion; ``lean`` turns it about x, y and z, in degrees."""

    def half(u: float, v: float) -> Point:
        puff = 0.2 * ((1 - u**4) * (1 - v**4)) ** 0.45
        return u / 2 * (1 - 0.07 * (1 - v * v) * u * u), puff, v / 2 * (1 - 0.07 * (1 - u * u) * v * v)

    for side in (-1, 1):
        made = sheet(half, paint, 32)
        made.scale = (size, side * size, size)
        made.rotation_euler = [math.radians(a) for a in lean]


def towel(width: float, drop: list[float], cloth: str, band: str, seed: int = 0) -> list[bpy.types.Object]:
    """Drape a towel over a bar that runs along x at the origin: ``drop`` in front and behind, banded near its ends."""
    dice = np.random.default_rng(seed)
    phase, radius = dice.uniform(0, 6.3, 3), 0.017
    front, back = drop
    bend = math.pi * radius

    def lie(u: float, s: float) -> Point:
        """Follow the cloth by ``s`` metres from its front hem, over the bar, to the hem behind."""
        hang = max(front - s, s - front - bend, 0)
        wave = 0.012 * min(1, hang * 4) * (math.sin(5 * u + phase[0]) + 0.5 * math.sin(11 * u + phase[1]))
        x = width / 2 * u * (1 + 0.015 * math.sin(7 * hang + phase[2]))
        if s < front:
            return x, -radius - 0.004 + wave * 0.6 - 0.01 * hang, s - front
        if s > front + bend:
            return x, radius + 0.004 + wave * 0.5 + 0.01 * hang, front + bend - s
        turn = (s - front) / radius
        return x, -(radius + 0.004) * math.cos(turn), radius * math.sin(turn)

    length = front + bend + back
    cuts = (0, 0.035, 0.055, 0.065, 0.075, length - 0.075, length - 0.065, length - 0.055, length - 0.035, length)
    made = []
    for k, (low, high) in enumerate(itertools.pairwise(cuts)):

        def part(u: float, v: float, low: float = low, high: float = high) -> Point:
            return lie(u, low + (high - low) * (v + 1) / 2)

        made.append(sheet(part, band if k % 2 else cloth, (36, max(2, int((high - low) / 0.012))), 0.007))
    return made
