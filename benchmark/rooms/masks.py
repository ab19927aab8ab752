"""The masks of a sample, and the truth that differs from the source only where the object has an effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull

CHANGE = 8  # of 255: a smaller difference between the two renders is noise or too faint to see
NEAR, FAR = 0.008, 0.04  # of the long side: the truth is the render up to the one, the source beyond the other


def disc(radius: float) -> np.ndarray:
    """Make a round brush."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.hypot(x, y) <= radius


def change(source: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Measure how much a pair differs at every pixel: the greatest channel's difference, a little smoothed."""
    difference = np.abs(source.astype(float) - truth.astype(float)).max(axis=-1)
    return ndimage.gaussian_filter(difference, 1.2)


def part_of_change(source: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Bound where a coarse pair differs, generously: left, right, bottom, top as shares of the picture."""
    tall, wide = source.shape[:2]
    rows, columns = np.nonzero(change(source, truth) >= CHANGE / 2)
    low, high = 2 * FAR, 1 + 2 * FAR
    return (
        max(columns.min() / wide - low, 0),
        min(columns.max() / wide + high - 1, 1),
        max(1 - rows.max() / tall - low, 0),
        min(1 - rows.min() / tall + high - 1, 1),
    )


def effect_mask(source: np.ndarray, truth: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """Find the object with its shadow, reflections and the light that it colours: the cleaned difference of a pair."""
    size = max(thing.shape)
    changed = ndimage.binary_opening(change(source, truth) >= CHANGE, disc(size / 700)) | thing
    changed = ndimage.binary_closing(np.pad(changed, 16), disc(size / 350))[16:-16, 16:-16]
    changed = ndimage.binary_fill_holes(changed)
    parts, count = ndimage.label(changed)
    sizes = ndimage.sum_labels(changed, parts, range(1, count + 1))
    large = [k for k in range(1, count + 1) if sizes[k - 1] > 0.0006 * changed.size]
    return np.isin(parts, large) | thing


def blend(source: np.ndarray, truth: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Keep the truth around its effect and the source elsewhere, with a soft passage, so that both agree far away."""
    size, away = max(effect.shape), ndimage.distance_transform_edt(~effect)
    share = np.clip((FAR * size - away) / ((FAR - NEAR) * size), 0, 1)[..., None]
    return np.rint(source + share * (truth.astype(float) - source)).astype(np.uint8)


def loose_mask(thing: np.ndarray, moved: np.ndarray, look: dict[str, Any], seed: int) -> np.ndarray:
    """Draw what a person would brush over: every part's hull with an uneven, generous edge of round strokes.

    ``look`` may set the margin (of the long side), join all parts into one blob, and take in shadow that is
    stronger than a level (of 255).
    """
    size, dice = max(thing.shape), np.random.default_rng(seed)
    margin = look.get("margin", 0.028) * size
    wanted = thing | (moved >= look.get("shadow", 256))
    near = ndimage.binary_dilation(wanted, disc(margin * 0.8))
    parts, count = ndimage.label(near)
    if look.get("join"):
        parts, count = near.astype(int), 1
    drawn = Image.new("L", thing.shape[::-1], 0)
    pen = ImageDraw.Draw(drawn)
    for part in range(1, count + 1):
        rows, columns = np.nonzero(wanted & (parts == part))
        if len(rows) < 0.0004 * thing.size and count > 1 and not thing[rows, columns].any():
            continue
        corners = np.column_stack([columns, rows])
        outline = corners[ConvexHull(corners).vertices].astype(float)
        pen.polygon([tuple(corner) for corner in outline], fill=255)
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            for t in np.arange(0, 1, 0.35 * margin / max(np.hypot(*(end - start)), 1)):
                x, y = start + t * (end - start) + dice.normal(0, 0.12 * margin, 2)
                brush = margin * dice.uniform(0.85, 1.1)
                pen.ellipse((x - brush, y - brush, x + brush, y + brush), fill=255)
    return (np.array(drawn) > 0) | ndimage.binary_dilation(thing, disc(margin * 0.4))
