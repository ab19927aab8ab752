"""Render the demo room and the mask of the small things to be painted away.

Writes ``room.jpg`` and ``room-mask.png`` (8-bit grey, 0 = keep, 255 = repaint) into the output folder. Needs Blender
as a Python module (``bpy``) and an unpacked CC0 furniture library: see the README beside it.
The unwanted things are a cable with its cap and socket, a light switch and two price tags. The mask is drawn from
the same 3-D points as the things, as loose strokes of a round brush.
"""

from __future__ import annotations

import argparse
import math
import struct
import tomllib
import zlib
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from furniture import place_piece
from materials import make_materials
from mathutils import Vector
from shapes import Point, box, sheet
from textiles import cushion

Stroke = tuple[list[Point], float]  # 3-D points, brush radius in pixels of a picture 1024 wide
BACK, RIGHT = 2.5, 2.35  # the back wall's y and the window wall's x, in metres
ROOM = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


def build_room() -> None:
    """Build all boxes, the curtain, and the print's disc and hills."""
    for paint, boxes in ROOM["boxes"].items():
        for low, high, bevel in boxes:
            box(low, high, paint, bevel)

    def curtain(u: float, v: float) -> Point:
        fold = math.sin(9 * math.pi * u + 0.7 * v) * (0.045 - 0.012 * v) + 0.012 * math.sin(23 * u)
        return RIGHT - 0.12 + fold, 1.97 + 0.30 * u * (1 - 0.08 * v), 1.225 + 1.2 * v

    sheet(curtain, "linen", 160)

    def disc(u: float, v: float) -> Point:
        turn = math.pi * u / 2
        return -0.29 + 0.086 * v * math.cos(turn), BACK - 0.0088, 1.77 + 0.086 * v * math.sin(turn)

    sheet(disc, "disc", 64)
    for paint, hill in ROOM["hills"].items():

        def slope(u: float, v: float, hill: list[float] = hill) -> Point:
            top = hill[1] + hill[2] * math.sin(2.4 * u + hill[3]) + 0.03 * math.sin(6 * u + hill[3])
            return -0.45 + 0.4 * u, BACK - hill[0], 1.62 + 0.36 * (-0.74 + (top + 0.74) * (v + 1) / 2)

        sheet(slope, paint, 48)


def furnish(library: Path) -> None:
    """Put the library's furniture and two cushions in."""
    for piece in ROOM["furniture"]:
        place_piece(library, piece)
    for x, lean, spin, size, paint in ((-0.95, 4, 14, 0.42, "ochre"), (0.06, -3, -12, 0.40, "cream")):
        before = set(bpy.data.objects)
        cushion(size, [-22, lean, spin], paint)
        for half in set(bpy.data.objects) - before:
            half.location = (x, 1.93, 0.66)


def add_unwanted() -> list[Stroke]:
    """Add cable and price tags; return the brush strokes that cover all the things to be removed."""
    heights = np.linspace(0.33, 2.0, 50).tolist()
    path = [(-1.8 + 0.035 * math.sin(2.1 * z + 0.4) + 0.012 * math.sin(6.5 * z), BACK - 0.008, z) for z in heights]
    curve = bpy.data.curves.new("cable", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", 0.007
    line = curve.splines.new("POLY")
    line.points.add(len(path) - 1)
    line.points.foreach_set("co", np.array([(*p, 1) for p in path]).ravel())
    curve.materials.append(bpy.data.materials["black"])
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("cable", curve))
    strokes: list[Stroke] = [(path, 6), (path[-1:], 11), ([(path[0][0], BACK, 0.305)], 16), ([(1.43, BACK, 1.12)], 14)]
    cast, view = bpy.context.scene.ray_cast, bpy.context.evaluated_depsgraph_get()
    for x, z, wide, tall, brush in ((1.03, 0.115, 0.07, 0.04, 9.0), (-0.27, 0.65, 0.07, 0.095, 13.0)):
        corners = [(x + i * wide / 2, 1.2, z + j * tall / 2) for i in (-1, 1) for j in (-1, 1)]
        y = min(cast(view, corner, (0, 1, 0))[1].y for corner in corners) - 0.003  # before what stands there
        box((x - wide / 2, y - 0.002, z - tall / 2), (x + wide / 2, y, z + tall / 2), "tag", 0.001)
        box((x - wide * 0.38, y - 0.003, z - tall * 0.3), (x + wide * 0.38, y, z + tall * 0.12), "paper")
        reach = max(0.0, wide - tall) / 2, max(0.0, tall - wide) / 2
        strokes.append(([(x + s * reach[0], y, z + s * reach[1]) for s in (-1, 1)], brush))
    return strokes


def add_camera_and_light() -> None:
    """Set the camera, a low sun through the windows, and the sky."""
    scene = bpy.context.scene
    lens, light = bpy.data.cameras.new("camera"), bpy.data.lights.new("sun", "SUN")
    lens.lens, lens.shift_y = 33, -0.06
    light.energy, light.angle, light.color = 9.0, 0.010, (1.0, 0.87, 0.70)
    eye, aim = Vector((-0.85, -2.75, 1.25)), Vector((0.0, 2.0, 1.25))
    for data, place, look in ((lens, eye, aim - eye), (light, Vector(), Vector((-1, 0.66, -0.50)))):
        made = bpy.data.objects.new(data.name, data)
        made.location, made.rotation_euler = place, look.to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(made)
    scene.camera, scene.world = bpy.data.objects["camera"], bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"]
    sky.inputs["Color"].default_value, sky.inputs["Strength"].default_value = (0.70, 0.80, 0.98, 1), 1.1


def write_mask(path: Path, strokes: list[Stroke], width: int, height: int) -> None:
    """Stamp every stroke with a round brush and write the mask as an 8-bit grey PNG."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    mask = np.zeros((height, width), np.uint8)
    bpy.context.view_layer.update()
    for points, radius in strokes:
        seen = [world_to_camera_view(bpy.context.scene, bpy.context.scene.camera, Vector(p)) for p in points]
        for at in np.linspace(0, len(seen) - 1, 8 * len(seen)):
            x = np.interp(at, range(len(seen)), [p.x * width for p in seen])
            y = np.interp(at, range(len(seen)), [(1 - p.y) * height for p in seen])
            mask[np.hypot(columns - x, rows - y) <= radius * width / 1024] = 255
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in mask), 9)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", lines), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def main() -> None:
    """Build the room and write picture and mask."""
    parser = argparse.ArgumentParser(description="Render the demo room and the mask of its unwanted things.")
    parser.add_argument("--furniture", type=Path, required=True, help="the unpacked library's folder of models")
    parser.add_argument("--out", type=Path, default=Path(), help="output folder")
    parser.add_argument("--width", type=int, default=1024, help="width in pixels; the height is 3/4 of it")
    parser.add_argument("--samples", type=int, default=128, help="light paths per pixel")
    options = parser.parse_args()
    width, height = options.width, options.width * 3 // 4
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = options.samples, True, 8
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.7
    make_materials(ROOM["materials"] | ROOM["woods"])
    build_room()
    furnish(options.furniture.resolve())
    strokes = add_unwanted()
    add_camera_and_light()
    options.out.mkdir(parents=True, exist_ok=True)
    write_mask(options.out / "room-mask.png", strokes, width, height)
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 92
    for flag in (name for name in dir(scene.render) if name.startswith("use_stamp_")):
        setattr(scene.render, flag, False)  # no date and no file name inside the picture
    scene.render.filepath = str((options.out / "room.jpg").resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
