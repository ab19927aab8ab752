"""Polygons as pixels: exactly those whose middle lies inside. Pillow's own drawing knows whole coordinates only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from PIL import Image


def filled(polygons: Iterable[Sequence[tuple[float, float]]], size: tuple[int, int]) -> Image.Image:
    """A picture of `size` in mode L, 255 inside of any polygon. Where one crosses itself, inside is what is odd."""
    width, height = size
    pixels = bytearray(width * height)
    for points in polygons:
        for row, crossings in _crossings(points, height).items():
            crossings.sort()
            for start, end in zip(crossings[::2], crossings[1::2], strict=True):
                left, right = max(0, math.ceil(start - 0.5)), min(width, math.ceil(end - 0.5))
                if left < right:
                    pixels[row * width + left : row * width + right] = b"\xff" * (right - left)
    return Image.frombytes("L", size, bytes(pixels))


def _crossings(points: Sequence[tuple[float, float]], height: int) -> dict[int, list[float]]:
    """For each row of pixels that it reaches, where the row's middle line crosses the outline."""
    rows: defaultdict[int, list[float]] = defaultdict(list)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        first, last = max(0, math.ceil(y0 - 0.5)), min(height, math.ceil(y1 - 0.5))
        if first < last:
            slope = (x1 - x0) / (y1 - y0)
            for row in range(first, last):
                rows[row].append(x0 + (row + 0.5 - y0) * slope)
    return rows
