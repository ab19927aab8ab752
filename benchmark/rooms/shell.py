"""The room itself: floor, ceiling, walls with windows and doors in them, skirting boards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from shapes import Point, box, tube

Opening = dict[str, Any]
Frame = Callable[[float, float, float], Point]  # along the wall, outwards from its face, up
DEEP = 0.22  # how thick the walls are


def wall_frames(room: dict[str, Any]) -> dict[str, tuple[Frame, tuple[float, float]]]:
    """Tell for every wall how its own directions lie in the room, and from where to where it runs."""
    (west, east), (south, north) = room["x"], room["y"]
    return {
        "back": (lambda a, o, z: (a, north + o, z), (west, east)),
        "front": (lambda a, o, z: (a, south - o, z), (west, east)),
        "left": (lambda a, o, z: (west - o, a, z), (south, north)),
        "right": (lambda a, o, z: (east + o, a, z), (south, north)),
    }


def wall_box(frame: Frame, low: Point, high: Point, paint: str, bevel: float = 0) -> None:
    """Add a box whose corners are given in a wall's own directions."""
    corners = np.array([frame(*low), frame(*high)])
    box(corners.min(axis=0).tolist(), corners.max(axis=0).tolist(), paint, bevel)


def add_window(frame: Frame, hole: Opening, trim: str) -> None:
    """Fill an opening with a window: casement, bars between its panes, a sill and a plain surround."""
    (a, b), sill, head, (columns, rows) = hole["span"], hole["sill"], hole["head"], hole.get("panes", [2, 3])
    near, far = DEEP * 0.45, DEEP * 0.45 + 0.05
    for k in range(columns + 1):
        half = 0.035 if k in (0, columns) or (columns % 2 == 0 and columns > 2 and k == columns // 2) else 0.013
        at = a + (b - a) * k / columns
        wall_box(frame, (at - half, near, sill), (at + half, far, head), trim, 0.004)
    for k in range(rows + 1):
        half, at = 0.035 if k in (0, rows) else 0.013, sill + (head - sill) * k / rows
        wall_box(frame, (a, near + 0.005, at - half), (b, far - 0.005, at + half), trim, 0.004)
    if sill > 0.2:
        wall_box(frame, (a - 0.05, -0.06, sill - 0.04), (b + 0.05, near + 0.01, sill + 0.004), trim, 0.008)


def add_door(frame: Frame, hole: Opening, trim: str) -> None:
    """Fill an opening with a panelled door: surround, leaf, panels with raised rims, a lever."""
    (a, b), head, leaf = hole["span"], hole["head"], hole.get("paint", trim)
    for low, high in ((a - 0.08, a + 0.004), (b - 0.004, b + 0.08)):
        wall_box(frame, (low, -0.022, 0), (high, 0.1, head - 0.004), trim, 0.003)
    wall_box(frame, (a - 0.08, -0.024, head - 0.004), (b + 0.08, 0.1, head + 0.08), trim, 0.005)
    wall_box(frame, (a, 0.04, 0.006), (b, 0.08, head), leaf)
    stile, rails = 0.11, (0.006, 0.22, 0.92, 1.06, head - 0.11, head)
    for low, high in ((a, a + stile), (b - stile, b)):
        wall_box(frame, (low, 0.025, 0.006), (high, 0.05, head), leaf, 0.004)
    for low, high in zip(rails[::2], rails[1::2], strict=True):
        wall_box(frame, (a + stile, 0.025, low), (b - stile, 0.05, high), leaf, 0.004)
    grip = b - stile / 2 if hole.get("grip", "right") == "right" else a + stile / 2
    way = 0.11 if grip < (a + b) / 2 else -0.11
    wall_box(frame, (grip - 0.02, 0.012, 0.93), (grip + 0.02, 0.025, 1.11), "steel", 0.004)
    tube([frame(grip, 0.02, 1.04), frame(grip, -0.03, 1.04), frame(grip + way, -0.032, 1.04)], 0.009, "steel")


def add_wall(frame: Frame, run: tuple[float, float], tall: float, holes: list[Opening], room: dict[str, Any]) -> None:
    """Build one wall around its openings."""
    skirting, paint, trim, at = room.get("skirting", 0.11), room["paint"], room.get("trim", "trim"), run[0]
    wainscot = room.get("wainscot", {})
    breaks = [*sorted(holes, key=lambda hole: hole["span"][0]), {"span": [run[1] + DEEP, run[1] + DEEP], "none": True}]
    at -= DEEP  # walls reach past the corners, so that no light leaks in
    for hole in breaks:
        (a, b), sill, head = hole["span"], hole.get("sill", 0), hole.get("head", tall)
        wall_box(frame, (at, 0, 0), (a, DEEP, tall), paint)
        if skirting:
            wall_box(frame, (at, -0.018, 0), (a, 0, skirting), trim, 0.006)
        if wainscot:
            wall_box(frame, (at, -0.012, 0), (a, 0, wainscot["height"]), wainscot["paint"])
            wall_box(
                frame, (at, -0.02, wainscot["height"]), (a, 0, wainscot["height"] + 0.025), wainscot["edge"], 0.006
            )
        at = b
        if hole.get("none"):
            continue
        if sill:
            wall_box(frame, (a, 0, 0), (b, DEEP, sill), paint)
            if skirting:
                wall_box(frame, (a, -0.018, 0), (b, 0, skirting), trim, 0.006)
            if wainscot:
                wall_box(frame, (a, -0.012, 0), (b, 0, min(sill - 0.04, wainscot["height"])), wainscot["paint"])
        if head < tall:
            wall_box(frame, (a, 0, head), (b, DEEP, tall), paint)
        if hole.get("kind", "window") == "window":
            add_window(frame, hole, trim)
        elif hole["kind"] == "door":
            add_door(frame, hole, trim)


def build_shell(room: dict[str, Any]) -> None:
    """Build floor, ceiling and the walls that are asked for; a wall left out lets the sky's light in."""
    (west, east), (south, north), tall = room["x"], room["y"], room["height"]
    box((west - 0.3, south - 0.3, -0.1), (east + 0.3, north + 0.3, 0), room["floor"])
    box((west - 0.3, south - 0.3, tall), (east + 0.3, north + 0.3, tall + 0.1), room.get("ceiling", "ceiling"))
    frames = wall_frames(room)
    for name in room["walls"]:
        frame, run = frames[name]
        holes = [hole for hole in room.get("openings", []) if hole["wall"] == name]
        add_wall(frame, run, tall, holes, room | room.get("special", {}).get(name, {}))
