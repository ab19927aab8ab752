"""Shapes that everything of our own is made of: boxes, curved sheets, tubes and turned pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix, Vector

if TYPE_CHECKING:
    from collections.abc import Iterable

Point = tuple[float, float, float]
Faces = list[tuple[int, ...]]


def box(low: Sequence[float], high: Sequence[float], paint: str, bevel: float = 0) -> bpy.types.Object:
    """Add an axis-aligned box between two corners."""
    bpy.ops.mesh.primitive_cube_add(size=1, location=[(a + b) / 2 for a, b in zip(low, high, strict=True)])
    made = bpy.context.object
    made.scale = [b - a for a, b in zip(low, high, strict=True)]
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    made.data.materials.append(bpy.data.materials[paint])
    if bevel:
        edge = made.modifiers.new("bevel", "BEVEL")
        edge.width, edge.segments = bevel, 3
    return made


def mesh(name: str, points: Sequence[Point] | np.ndarray, faces: Faces, paint: str) -> bpy.types.Object:
    """Add a smooth surface from points and faces."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([tuple(map(float, p)) for p in points], [], faces)
    data.shade_smooth()
    data.materials.append(bpy.data.materials[paint])
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def grid(row: int, column_count: int, first: int = 0) -> Faces:
    """Number the faces of a grid of points that has ``row`` points in a row."""
    starts = [first + j * row + i for j in range(column_count - 1) for i in range(row - 1)]
    return [(k, k + 1, k + row + 1, k + row) for k in starts]


def sheet(
    shape: Callable[[float, float], Point], paint: str, steps: int | tuple[int, int], thick: float = 0
) -> bpy.types.Object:
    """Add a smooth surface given by a function of two numbers from -1 to 1."""
    across, along = (steps, steps) if isinstance(steps, int) else steps
    columns, rows = np.linspace(-1, 1, across + 1).tolist(), np.linspace(-1, 1, along + 1).tolist()
    made = mesh("sheet", [shape(u, v) for v in rows for u in columns], grid(across + 1, along + 1), paint)
    if thick:
        made.modifiers.new("thick", "SOLIDIFY").thickness = thick
    return made


def flow(points: Sequence[Sequence[float]], count: int) -> np.ndarray:
    """Lay a smooth line (Catmull-Rom) through points."""
    given = np.asarray(points, float)
    ends = np.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    made = []
    for at in np.linspace(0, len(given) - 1 - 1e-9, count):
        k, t = int(at), at - int(at)
        a, b, c, d = ends[k : k + 4]
        made.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.array(made)


def tube(points: Iterable[Sequence[float]], radius: float | Sequence[float], paint: str) -> bpy.types.Object:
    """Add a round rod along a line; give one radius or one for each point."""
    line = np.asarray(list(points), float)
    curve = bpy.data.curves.new("tube", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution, curve.use_fill_caps = "3D", 1, 5, True
    spline = curve.splines.new("POLY")
    spline.points.add(len(line) - 1)
    spline.points.foreach_set("co", np.c_[line, np.ones(len(line))].ravel())
    spline.points.foreach_set("radius", np.broadcast_to(np.asarray(radius, float), len(line)).copy())
    curve.materials.append(bpy.data.materials[paint])
    made = bpy.data.objects.new("tube", curve)
    bpy.context.scene.collection.objects.link(made)
    return made


def turned(
    profile: Sequence[Sequence[float]], paint: str, smooth: int = 0, place: Sequence[float] = (0, 0, 0)
) -> bpy.types.Object:
    """Turn a profile of (radius, height) on the lathe; with ``smooth`` points it is rounded first."""
    line = flow(profile, smooth) if smooth else np.asarray(profile, float)
    turn = 64
    angles = np.linspace(0, 2 * math.pi, turn, endpoint=False)
    points = [(max(r, 0) * math.cos(a), max(r, 0) * math.sin(a), z) for r, z in line for a in angles]
    faces = [
        (j * turn + i, j * turn + (i + 1) % turn, (j + 1) * turn + (i + 1) % turn, (j + 1) * turn + i)
        for j in range(len(line) - 1)
        for i in range(turn)
    ]
    made = mesh("turned", points, faces, paint)
    made.data.set_sharp_from_angle(angle=math.radians(50))
    made.location = place
    return made


def turn_grain(made: bpy.types.Object, degrees: float) -> None:
    """Turn a thing's own axes about y without moving it, so that its wood runs aslant."""
    spin = Matrix.Rotation(math.radians(degrees), 4, "Y")
    made.data.transform(spin.inverted())
    made.matrix_basis = made.matrix_basis @ spin


def move(made: Iterable[bpy.types.Object], place: Sequence[float], turn: float = 0) -> None:
    """Bring things that were built around the origin to their place; ``turn`` about the upright axis, in degrees."""
    whole = Matrix.Translation(Vector(place)) @ Matrix.Rotation(math.radians(turn), 4, "Z")
    for part in made:
        part.matrix_basis = whole @ part.matrix_basis
