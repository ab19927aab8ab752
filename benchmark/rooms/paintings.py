"""Pictures of our own, computed as arrays: a rug's pattern and a photograph-like landscape."""

from __future__ import annotations

import bpy
import numpy as np

Picture = np.ndarray  # height x width x 3, from 0 to 1, row 0 at the bottom


def waves(x: np.ndarray, seed: int, rough: float = 0.5) -> np.ndarray:
    """Make a ragged line, about -1 to 1, as a sum of ever finer waves."""
    dice = np.random.default_rng(seed)
    total = np.zeros_like(x)
    for octave in range(9):
        phase, stretch = dice.uniform(0, 6.3), dice.uniform(0.8, 1.25)
        total += rough**octave * np.sin(2.1**octave * 2.3 * stretch * x + phase)
    return total / 1.6


def lake() -> Picture:
    """Hills behind one another in morning mist, mirrored in a calm lake."""
    wide, tall, shore = 1200, 800, 300
    x, y = np.linspace(0, 3, wide), np.arange(tall)[:, None] - shore
    sky = np.clip(y / 500, 0, 1)[..., None]
    scene = (1 - sky) * np.array([0.98, 0.72, 0.47]) + sky * np.array([0.36, 0.50, 0.66]) + np.zeros((1, wide, 1))
    glow = np.exp(-(((np.arange(wide) - 780) / 260) ** 2)[None] - ((y - 150) / 130.0) ** 2)[..., None]
    scene += glow * np.array([0.30, 0.22, 0.10])
    sun = np.hypot(np.arange(wide)[None] - 780, y - 190) < 30
    scene[sun] = (1.0, 0.95, 0.82)
    for seed, level, swing, rough in ((5, 150, 60, 0.46), (8, 96, 46, 0.48), (2, 52, 30, 0.5), (11, 20, 14, 0.62)):
        ridge = level + swing * waves(x, seed, rough)
        near = 1 - level / 190
        hill = (1 - near) * np.array([0.62, 0.56, 0.56]) + near * np.array([0.05, 0.10, 0.11])
        fog = np.exp(-np.clip(y, 0, None) / (18 + level / 3))[..., None] * (0.75 - 0.55 * near)
        scene = np.where((y < ridge[None])[..., None], (1 - fog) * hill + fog * np.array([0.93, 0.76, 0.60]), scene)
    ripple = (2.5 * np.sin(np.arange(shore) / 2.7) * np.linspace(1.5, 0.1, shore)).astype(int)
    for row in range(shore):  # the water: the scene upside down, darker and broken by ripples
        mirrored = np.roll(scene[min(2 * shore - row, tall - 1)], ripple[row], axis=0)
        scene[row] = mirrored * (0.62 + 0.25 * row / shore) + np.array([0.01, 0.03, 0.05])
    return np.clip(scene, 0, 1)


def rosette(x: np.ndarray, y: np.ndarray, petals: int) -> np.ndarray:
    """Draw a flower of radius 1 around the origin: 0 outside, 1 petals, 2 outline, 3 heart."""
    r, edge = np.hypot(x, y), 0.62 + 0.38 * np.abs(np.cos(petals * np.arctan2(y, x) / 2))
    return np.select([r < 0.22, r < edge - 0.14, r < edge], [3, 1, 2], 0)


def carpet() -> Picture:
    """A cream field with rosettes and leaves between them, and three geometric borders around it."""
    wide, tall, unit = 600, 1800, 100
    x, y = np.meshgrid(np.arange(wide) + 0.5, np.arange(tall) + 0.5)
    cream, beige, sand, brown, sage = (
        np.array(c)
        for c in ((0.80, 0.74, 0.62), (0.62, 0.50, 0.36), (0.46, 0.34, 0.23), (0.38, 0.27, 0.19), (0.36, 0.39, 0.29))
    )
    rug = np.broadcast_to(cream, (tall, wide, 3)).copy()
    for shift, petals, size, inks in ((0, 8, 0.40, (beige, sand, brown)), (0.5, 6, 0.23, (sage, sand, cream))):
        u, v = ((x - 50) / unit - shift) % 1 - 0.5, (y / unit - shift) % 1 - 0.5
        drawn = rosette(u / size, v / size, petals)
        for part, ink in enumerate(inks, 1):
            rug[drawn == part] = ink
    u, v = (x / unit) % 1 - 0.5, (y / unit) % 1 - 0.5  # stems with leaves, between the flowers
    rug[(np.abs(np.abs(u) + np.abs(v) - 0.5) < 0.012) & (np.abs(rug - cream).sum(-1) < 0.01)] = sand
    edge = np.minimum(np.minimum(x, wide - x), np.minimum(y, tall - y))
    along = np.where(np.minimum(x, wide - x) < np.minimum(y, tall - y), y, x)
    rug[edge < 92] = beige
    zigzag = np.abs((along / 46) % 1 - 0.5) * 2 * 40 + 30
    rug[(edge < 84) & (edge > 20)] = cream
    rug[(edge < 80) & (edge > 24) & (np.abs(edge - zigzag) < 6)] = brown
    diamond = np.abs((along / 46 + 0.5) % 1 - 0.5) * 46 + np.abs(edge - 50)
    rug[diamond < 10] = sage
    rug[edge < 14] = sand
    rug[(edge > 92) & (edge < 97)] = brown
    dice = np.random.default_rng(3)
    wear = dice.normal(1, 0.05, (tall, wide, 1)) * (1 + 0.05 * np.sin(y / 9.0 + 2 * np.sin(x / 160.0)))[..., None]
    return np.clip(rug * wear, 0, 1)


def abstract() -> Picture:
    """A quiet print: an ochre disc over three soft hills."""
    wide, tall = 600, 800
    x, y = np.meshgrid(np.linspace(0, 1, wide), np.linspace(0, 1.33, tall))
    art = np.broadcast_to(np.array([0.80, 0.77, 0.70]), (tall, wide, 3)).copy()
    art[np.hypot(x - 0.58, y - 0.86) < 0.17] = (0.62, 0.30, 0.13)
    for level, ink, seed in (
        (0.62, (0.45, 0.50, 0.46), 1),
        (0.44, (0.22, 0.31, 0.31), 2),
        (0.24, (0.50, 0.33, 0.18), 4),
    ):
        art[y < level + 0.09 * np.sin(4 * x + seed) + 0.03 * np.sin(9 * x + 2 * seed)] = ink
    return art


def arches() -> Picture:
    """A print of nested arches in earthen colours."""
    wide, tall = 600, 800
    x, y = np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1.33, 1.33, tall))
    art = np.broadcast_to(np.array([0.84, 0.81, 0.75]), (tall, wide, 3)).copy()
    for middle, foot, ring in ((-0.18, -0.95, 0.72), (0.36, -0.95, 0.44)):
        far = np.where(y > foot + ring * 1.1, np.hypot(x - middle, y - foot - ring * 1.1), np.abs(x - middle))
        for k, ink in enumerate(((0.55, 0.31, 0.22), (0.80, 0.60, 0.42), (0.34, 0.40, 0.38), (0.84, 0.81, 0.75))):
            art[(far < ring * (1 - 0.24 * k)) & (y > foot)] = ink
    return art


def leaves() -> Picture:
    """A print of one branch with pairs of leaves."""
    wide, tall = 600, 800
    x, y = np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1.33, 1.33, tall))
    art = np.broadcast_to(np.array([0.86, 0.84, 0.79]), (tall, wide, 3)).copy()
    art[(np.abs(x - 0.08 * np.sin(2 * y)) < 0.012) & (np.abs(y) < 1.0)] = (0.20, 0.26, 0.19)
    for k, level in enumerate(np.linspace(-0.75, 0.8, 6)):
        for side in (-1, 1):
            turn, long = side * (0.75 - 0.04 * k), 0.62 - 0.055 * k
            u, v = x - 0.08 * np.sin(2 * level), y - level
            along, aside = u * np.sin(turn) + v * np.cos(turn), u * np.cos(turn) - v * np.sin(turn)
            t = np.clip(along / long, 0, 1)
            inside = (along > 0) & (along < long) & (np.abs(aside) < 0.30 * long * np.sin(np.pi * t**0.8))
            art[inside] = (0.25, 0.35, 0.26) if side < 0 else (0.33, 0.43, 0.32)
            art[inside & (np.abs(aside) < 0.006)] = (0.80, 0.80, 0.72)
    return art


def image(name: str) -> bpy.types.Image:
    """Hand a picture to Blender."""
    drawn = {"lake": lake, "carpet": carpet, "abstract": abstract, "arches": arches, "leaves": leaves}[name]()
    tall, wide = drawn.shape[:2]
    made = bpy.data.images.new(name, wide, tall)
    made.pixels.foreach_set(np.dstack([drawn, np.ones((tall, wide))]).astype(np.float32).ravel())
    made.pack()
    return made
