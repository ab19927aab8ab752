"""A trailing plant: vines that lie over an edge and hang down, with heart-shaped leaves."""

from __future__ import annotations

import numpy as np
from shapes import flow, grid, mesh, tube, turned

ACROSS, ALONG = 9, 9  # points in a leaf


def heart(size: float, dice: np.random.Generator) -> np.ndarray:
    """Shape one leaf: its stalk at the origin, its tip along -y, its face along z, gently folded and curled."""
    u, t = np.meshgrid(np.linspace(-1, 1, ACROSS), np.linspace(0, 1, ALONG))
    half = 0.62 * np.sin(np.pi * np.clip(t, 0, 1) ** 0.62) ** 0.85 * (1 - 0.35 * t)
    notch = 0.16 * (1 - np.exp(-3 * np.abs(u))) * (1 - t) ** 2  # the two lobes behind the stalk
    x, y = u * half, -(t - notch)
    z = -0.16 * (1 - np.abs(u)) * half - 0.22 * t**2 * dice.uniform(0.5, 1.3)
    return size * np.stack([x, y, z], axis=-1).reshape(-1, 3)


def frame(down: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Turn a leaf so that its tip points ``down`` and its face looks along ``face``."""
    tip = -down / np.linalg.norm(down)
    up = face - tip * (face @ tip)
    up /= np.linalg.norm(up)
    return np.column_stack([np.cross(tip, up), tip, up])


def vine(angle: float, edge: tuple[float, float], rim: float, drop: float, dice: np.random.Generator) -> np.ndarray:
    """Lead a vine out of the pot, over the board to its edge (x, y away from the pot), and down."""
    way = np.array([np.cos(angle), np.sin(angle)])
    reach = min(d / abs(c) for d, c in zip(edge, way, strict=True) if c < -1e-3)  # to the first edge it meets
    over = 1 if edge[0] / max(-way[0], 1e-3) < edge[1] / max(-way[1], 1e-3) else 0  # runs along this axis freely
    out = np.array([-1.0, 0]) if over else np.array([0, -1.0])
    end, side = way * reach, np.roll(np.abs(out), 1)
    points = [
        (*(way * 0.02), rim - 0.02),
        (*(way * 0.085), rim + dice.uniform(0.015, 0.06)),
        (*(way * (0.55 * reach + 0.05)), rim * 0.62),
        (*(end + out * 0.012), 0.03),
    ]
    for t in np.linspace(0.12, 1, 6):
        drift = side * dice.normal(0, 0.022) + out * (0.035 + dice.uniform(0, 0.03))
        points.append((*(end + drift), 0.02 - drop * t))
    return flow(points, int(40 + 120 * drop))


def trailing_plant(vines: int, drop: float, edge: list[float], seed: int = 1) -> None:
    """Pot a trailing plant; ``edge`` is how far left (-x) and to the front (-y) the board under it ends."""
    dice = np.random.default_rng(seed)
    rim = 0.15
    turned([(0, 0), (0.072, 0), (0.08, 0.006), (0.098, 0.08), (0.1, rim), (0.092, rim), (0.09, 0.125)], "pot", 60)
    turned([(0.0, 0.128), (0.092, 0.128)], "bark")
    leaves, faces = [], []

    def add_leaf(at: np.ndarray, down: np.ndarray, face: np.ndarray, size: float) -> None:
        faces.extend(grid(ACROSS, ALONG, len(leaves) * ACROSS * ALONG))
        leaves.append(at + heart(size, dice) @ frame(down, face).T)

    for k in range(vines):
        angle = np.pi + (k + 0.5) / vines * np.pi / 2 + dice.normal(0, 0.06)
        line = vine(angle, (edge[0], edge[1]), rim, drop * dice.uniform(0.45, 1), dice)
        tube(line, np.linspace(0.0028, 0.0014, len(line)).tolist(), "stem")
        step = 0
        while (step := step + int(dice.integers(3, 6))) < len(line):
            at, heading = line[step], line[step] - line[step - 1]
            outward = np.array([*(line[min(step + 4, len(line) - 1)][:2] * [1, 1]), 0.0])
            outward = outward / (np.linalg.norm(outward) + 1e-6)
            hang = np.clip((rim - at[2]) / 0.15, 0, 1)
            face = outward * hang + np.array([0, 0, 1.1 - hang]) + dice.normal(0, 0.28, 3)
            sideways = np.cross(heading, face) * (1 if dice.random() < 0.5 else -1)
            sideways /= np.linalg.norm(sideways) + 1e-9
            down = np.array([0, 0, -0.75]) + sideways * 0.55 + outward * 0.25 + dice.normal(0, 0.12, 3)
            size = dice.uniform(0.045, 0.078) * (1 - 0.35 * step / len(line))
            add_leaf(at + sideways * 0.018 + outward * 0.012, down, face, size)
    for _ in range(46):  # the crown over the pot
        angle, far = dice.uniform(0, 2 * np.pi), dice.uniform(0.02, 0.12)
        way = np.array([np.cos(angle), np.sin(angle), 0])
        at = way * far + [0, 0, rim + dice.uniform(0.0, 0.11) * (1 - far * 4)]
        down = way + np.array([0, 0, -0.55]) + dice.normal(0, 0.15, 3)
        add_leaf(at, down, way * 0.5 + np.array([0, 0, 1]), dice.uniform(0.05, 0.085))
        tube(flow([(0, 0, rim - 0.03), at * [0.5, 0.5, 1] + [0, 0, 0.01], at], 8), 0.0016, "stem")
    mesh("leaves", np.concatenate(leaves), faces, "ivy")
