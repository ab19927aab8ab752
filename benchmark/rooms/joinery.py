"""Wooden things: cabinets, frames, shelves with books, slats, a planter, a towel stand."""

from __future__ import annotations

import numpy as np
from shapes import box, flow, sheet, tube, turn_grain, turned
from textiles import towel


def framed(size: list[float], art: str, frame: str, mount: float = 0.06, bar: float = 0.022) -> None:
    """Hang a picture against the plane y = 0, its middle at the origin: frame, mount, picture."""
    wide, tall = size[0] / 2, size[1] / 2
    box((-wide, -0.012, -tall), (wide, -0.002, tall), "paper")
    for side in (-1, 1):
        x, z = sorted((side * wide, side * (wide - bar))), sorted((side * tall, side * (tall - bar)))
        box((x[0], -0.03, -tall + bar), (x[1], 0, tall - bar), frame, 0.003)
        box((-wide, -0.03, z[0]), (wide, 0, z[1]), frame, 0.003)
    picture = sheet(lambda u, v: (u / 2, v / 2, 0), art, 2)
    picture.scale = (2 * (wide - bar - mount), 2 * (tall - bar - mount), 1)
    picture.rotation_euler, picture.location = (np.pi / 2, 0, 0), (0, -0.0135, 0)


def mirror(radius: float, rim: str) -> None:
    """Hang a round mirror against the plane y = 0, its middle at the origin."""
    for profile, paint in (
        ([(0, 0.018), (radius, 0.018)], "mirror"),
        ([(radius, 0), (radius, 0.03), (radius + 0.018, 0.03), (radius + 0.018, 0)], rim),
    ):
        made = turned(profile, paint)
        made.rotation_euler = (np.pi / 2, 0, 0)


def slats(width: float, height: float, count: int, paint: str, back: str) -> None:
    """Stand upright slats before a backing, against the plane y = 0."""
    box((-width / 2, -0.012, 0), (width / 2, 0, height), back)
    for x in np.linspace(-width / 2, width / 2, count):
        box((x - 0.012, -0.036, 0), (x + 0.012, -0.012, height), paint, 0.002)


def books(count: int, height: float, seed: int, lying: bool = False, inks: list[str] | None = None) -> None:
    """Stand books in a row from the origin towards x, or stack them."""
    dice, at = np.random.default_rng(seed), 0.0
    inks = inks or ["red", "sand", "blue", "cream", "sage", "black", "ochre"]
    for _ in range(count):
        thick, tall, deep = dice.uniform(0.016, 0.042), height * dice.uniform(0.78, 1.0), dice.uniform(0.14, 0.17)
        ink = str(dice.choice(inks))
        if lying:
            half, shift = tall / 2, dice.uniform(-0.012, 0.012)
            box((-half + shift, -deep / 2, at), (half + shift, deep / 2, at + thick), ink, 0.002)
            box(
                (-half + shift + 0.004, -deep / 2 - 0.0005, at + 0.004),
                (half + shift - 0.004, 0, at + thick - 0.004),
                "pages",
            )
        else:
            push = dice.uniform(0, 0.012)
            box((at, push, 0), (at + thick, push + deep, tall), ink, 0.003)
        at += thick + 0.001


def china_cabinet(wood: str, inside: str) -> None:
    """Build a dresser 1.36 m wide: doors below, three glazed doors above shelves; its back is the plane y = 0."""
    wide, deep, up = 0.68, 0.42, 0.36
    box((-wide, -deep, 0.0), (wide, 0, 0.09), wood, 0.004)
    box((-wide + 0.01, -deep + 0.02, 0.09), (wide - 0.01, 0, 0.86), wood)
    box((-wide - 0.02, -deep - 0.02, 0.86), (wide + 0.02, 0, 0.90), wood, 0.006)
    box((-wide + 0.012, -up, 0.90), (-wide + 0.036, 0, 2.03), wood)
    box((wide - 0.036, -up, 0.90), (wide - 0.012, 0, 2.03), wood)
    box((-wide + 0.036, -0.015, 0.90), (wide - 0.036, 0, 2.03), inside)
    box((-wide + 0.036, -up + 0.02, 0.90), (wide - 0.036, -0.015, 0.965), inside, 0.003)
    box((-wide + 0.012, -up, 2.03), (wide - 0.012, 0, 2.06), wood)
    for z, out in ((2.06, 0.025), (2.09, 0.05), (2.115, 0.065)):
        box((-wide - out + 0.02, -up - out, z), (wide + out - 0.02, 0, z + 0.03), wood, 0.006)
    for z in (1.26, 1.63):
        box((-wide + 0.036, -up + 0.05, z), (wide - 0.036, -0.015, z + 0.022), inside, 0.003)
    third = 2 * (wide - 0.012) / 3
    for k in range(3):
        a, b = -wide + 0.014 + k * third, -wide + 0.010 + (k + 1) * third
        glazed_door(a, b, 0.915, 2.045, -up, wood)
        panelled_door(a, b, 0.11, 0.845, -deep + 0.02, wood)
        knob = b - 0.03 if k == 0 else a + 0.03
        for y, z in ((-up - 0.02, 1.42), (-deep - 0.002, 0.62)):
            made = turned([(0.005, 0), (0.005, 0.012), (0.014, 0.018), (0.012, 0.028), (0, 0.031)], "brass", 24)
            made.rotation_euler, made.location = (np.pi / 2, 0, 0), (knob, y, z)


def glazed_door(a: float, b: float, low: float, high: float, y: float, wood: str) -> None:
    """Hang a glazed door before the plane y."""
    bar = 0.045
    for x in (a, b - bar):
        box((x, y - 0.022, low), (x + bar, y, high), wood, 0.003)
    for z, tall in ((low, bar + 0.015), (high - bar, bar)):
        box((a + bar, y - 0.022, z), (b - bar, y, z + tall), wood, 0.003)
    box((a + bar, y - 0.012, low + bar), (b - bar, y - 0.009, high - bar), "glass")


def panelled_door(a: float, b: float, low: float, high: float, y: float, wood: str) -> None:
    """Hang a door with a sunk panel before the plane y."""
    box((a, y - 0.012, low), (b, y, high), wood)
    for x in (a, b - 0.06):
        box((x, y - 0.024, low), (x + 0.06, y, high), wood, 0.003)
    for z in (low, high - 0.06):
        box((a + 0.06, y - 0.024, z), (b - 0.06, y, z + 0.06), wood, 0.003)


def chevron_cabinet(wood: str, body: str, metal: str) -> None:
    """Build a cabinet on a metal stand, 0.98 m wide and 1.25 m tall, chevrons on its doors; back at y = 0."""
    wide, deep, low, high = 0.49, 0.40, 0.17, 1.25
    for x in (-wide + 0.02, wide - 0.045):
        for y in (-deep + 0.02, -0.045):
            box((x, y, 0), (x + 0.025, y + 0.025, low - 0.025), metal)
    for y in (-deep + 0.02, -0.045):
        box((-wide + 0.02, y, low - 0.025), (wide - 0.02, y + 0.025, low), metal)
    for x in (-wide, wide - 0.025):
        box((x, -deep, low + 0.025), (x + 0.025, 0, high - 0.025), body, 0.002)
    box((-wide, -deep, high - 0.025), (wide, 0, high), "oak", 0.003)
    box((-wide, -deep, low), (wide, 0, low + 0.025), "oak", 0.003)
    box((-wide + 0.02, -deep + 0.02, low + 0.02), (wide - 0.02, -0.005, high - 0.02), body)
    for k, (a, b) in enumerate(((-wide + 0.027, -0.002), (0.002, wide - 0.027))):
        middle = (a + b) / 2
        for half, (x0, x1) in enumerate(((a, middle), (middle, b))):
            leaf = box((x0, -deep - 0.002, low + 0.027), (x1, -deep + 0.018, high - 0.027), wood)
            turn_grain(leaf, 40 if half == 0 else -40)
        grip = b - 0.02 if k == 0 else a + 0.02
        box((grip - 0.005, -deep - 0.02, 0.66), (grip + 0.005, -deep, 0.82), metal, 0.002)


def planter(size: list[float], paint: str) -> None:
    """Make an oblong planter, filled with bark nearly to its rim."""
    wide, deep, tall = (s / 2 for s in size)
    tall *= 2
    for side in (-1, 1):
        x, y = sorted((side * wide, side * (wide - 0.012))), sorted((side * deep, side * (deep - 0.012)))
        box((x[0], -deep + 0.012, 0), (x[1], deep - 0.012, tall), paint)
        box((-wide, y[0], 0), (wide, y[1], tall), paint, 0.004)
    box((-wide + 0.01, -deep + 0.01, 0.01), (wide - 0.01, deep - 0.01, tall - 0.02), "bark")


def towel_stand(wood: str, cloth: str, band: str) -> None:
    """Build a bamboo stand 0.62 m wide with three bars and a towel over each, on an oblong base."""
    wide, tall = 0.31, 1.2
    box((-wide - 0.02, -0.17, 0), (wide + 0.02, 0.17, 0.028), wood, 0.006)
    rungs = ((-0.13, 0.60), (0.0, 0.90), (0.13, 1.18))
    for side in (-1, 1):
        x = side * wide
        for y, z in rungs:
            tube([(x, y, 0.02), (x, y, z)], 0.013, wood)
        tube(
            flow([(x, -0.13, 0.60), (x, -0.11, 0.66), (x, 0.0, 0.90), (x, 0.11, 1.14), (x, 0.13, tall - 0.02)], 30),
            0.011,
            wood,
        )
    for seed, (y, z) in enumerate(rungs):
        rod = tube([(-wide - 0.02, 0, 0), (wide + 0.02, 0, 0)], 0.0125, wood)
        rod.location = (0, y, z)
        for part in towel(0.50, [0.33 - 0.01 * seed, 0.26], cloth, band, seed):
            part.location = (0, y, z)


def dining_bench(size: list[float], paint: str) -> None:
    """Make a plain bench: a seat on two boards and a rail."""
    wide, deep, tall = size[0] / 2, size[1] / 2, size[2]
    box((-wide, -deep, tall - 0.04), (wide, deep, tall), paint, 0.005)
    for x in (-wide + 0.15, wide - 0.19):
        box((x, -deep + 0.03, 0), (x + 0.04, deep - 0.03, tall - 0.04), paint, 0.004)
    box((-wide + 0.19, -0.02, 0.16), (wide - 0.19, 0.02, 0.24), paint, 0.004)


def wall_shelf(width: float, paint: str) -> None:
    """Fix a board to the plane y = 0."""
    box((-width / 2, -0.22, 0), (width / 2, 0, 0.03), paint, 0.004)
