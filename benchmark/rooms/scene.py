"""A scene from its description: shell, furniture, things of our own, light, and which of them is the object."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import daylight
import fittings
import furniture
import joinery
import materials
import plants
import shell
import tableware
import textiles
from shapes import box, move

Description = dict[str, Any]
SCENES = Path(__file__).parent / "furniture_rooms"
THINGS: dict[str, Callable[..., Any]] = {
    made.__name__: made
    for made in (
        *(textiles.curtain, textiles.rug, textiles.cushion),
        *(joinery.framed, joinery.mirror, joinery.slats, joinery.books, joinery.china_cabinet, joinery.chevron_cabinet),
        *(joinery.planter, joinery.towel_stand, joinery.dining_bench, joinery.wall_shelf),
        *(tableware.vase, tableware.plates, tableware.bowls, tableware.cups),
        *(tableware.teapot, tableware.jug, plants.trailing_plant),
        *(fittings.table_lamp, fittings.floor_lamp, fittings.pendant, fittings.bath, fittings.laptop, fittings.pens),
    )
}
PLACING = {"kind", "place", "turn", "target"}


def read(name: str) -> Description:
    """Read a room's file; what it does not say comes from the file it names as its base."""
    room = tomllib.loads((SCENES / f"{name}.toml").read_text())
    if "base" in room:
        base = read(room["base"])
        room = base | room | {key: base[key] | room[key] for key in ("materials",) if key in base and key in room}
    return room


def add_thing(thing: Description) -> None:
    """Build a thing of our own around the origin and bring it to its place."""
    before = set(bpy.data.objects)
    THINGS[thing["kind"]](**{key: value for key, value in thing.items() if key not in PLACING})
    made = set(bpy.data.objects) - before
    move(made, thing["place"], thing.get("turn", 0))


def build(room: Description, library: Path) -> list[bpy.types.Object]:
    """Build a whole scene in an empty file; return the parts of the object that can be hidden."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    common = tomllib.loads((SCENES / "materials.toml").read_text())
    materials.make_materials(common | room.get("materials", {}))
    shell.build_shell(room["room"])
    for paint, boxes in room.get("boxes", {}).items():
        for low, high, bevel in boxes:
            box(low, high, paint, bevel)
    target = []
    for add, items in (
        (lambda piece: furniture.place_piece(library, piece), room.get("furniture", [])),
        (add_thing, room.get("things", [])),
    ):
        for item in items:
            before = set(bpy.data.objects)
            add(item)
            if item.get("target"):
                target += set(bpy.data.objects) - before
    daylight.add_sky(room.get("sky", {}))
    daylight.add_sun(room["sun"])
    daylight.add_camera(room["camera"])
    return target
