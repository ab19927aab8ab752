"""Pieces from the furniture library: loaded, brought to size, placed and painted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector


def drop_parts(made: bpy.types.Object, names: list[str]) -> None:
    """Take the parts of some of the model's materials away, such as a pot that is to be replaced."""
    gone = {k for k, slot in enumerate(made.material_slots) if slot.material.name.split(".")[0] in names}
    work = bmesh.new()
    work.from_mesh(made.data)
    bmesh.ops.delete(work, geom=[face for face in work.faces if face.material_index in gone], context="FACES")
    work.to_mesh(made.data)
    work.free()


def place_piece(library: Path, piece: dict[str, Any]) -> bpy.types.Object:
    """Load one model, scale it to its height, stand it at its place and give it our own materials."""
    name, paints = piece["model"], piece.get("paint", {})
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.wm.obj_import(filepath=str(library / name / f"{name}.obj"))  # leaves what it made selected
    bpy.context.view_layer.objects.active = bpy.context.selected_objects[0]
    bpy.ops.object.join()
    made = bpy.context.object
    bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    bpy.ops.object.shade_smooth_by_angle(angle=math.radians(40))
    low, high = np.min(made.bound_box, axis=0), np.max(made.bound_box, axis=0)
    foot = Vector(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]))
    made.data.transform(Matrix.Scale(piece["height"] / (high[2] - low[2]), 4) @ Matrix.Translation(-foot))
    made.location, made.rotation_euler = piece["place"], (0, 0, math.radians(piece.get("turn", 0)))
    drop_parts(made, piece.get("without", []))
    for slot in made.material_slots:
        full = slot.material.name  # Blender adds .001 to a name that is taken
        paint = paints.get(full) or paints.get(full.split(".")[0])
        slot.material = bpy.data.materials[paint] if paint else slot.material
    return made
