"""Render the benchmark's data set ``furniture-rooms``: ten interiors without and with one object, and their masks.

Needs Blender as a Python module and an unpacked CC0 furniture library: see the README beside it. The rooms are
described in ``furniture_rooms/``; ``--only`` renders some of them, ``--width 320 --samples 8`` gives sketches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import bpy
import dataset
import masks
import numpy as np
import rendering
import scene
from PIL import Image

Pair = tuple[np.ndarray, np.ndarray]

ROOMS = (
    *("rug_in_corridor", "orchids_on_table", "lamps_by_bed", "dishes_in_cabinet", "picture_over_desk"),
    *("towels_by_mirror", "plant_on_cabinet", "chair_in_sunlight", "football_in_sunlight", "orchids_at_window"),
)


COARSE = 192  # pixels of the sketches that tell where the object has an effect


def render_pair(
    target: list[bpy.types.Object], size: tuple[int, int], samples: int, exposure: float, scratch: Path
) -> Pair:
    """Render the scene without and with the object, from the same seed.

    The second picture is only rendered where a pair of sketches differs, and for the rest is the first.
    """
    sketch = (round(size[0] * COARSE / max(size)), round(size[1] * COARSE / max(size)))
    pairs = []
    for shape, count in ((sketch, 8), (size, samples)):
        rendering.set_up(*shape, count, exposure)
        rendering.hide(target, True)
        without = rendering.render(scratch)
        rendering.hide(target, False)
        with_it = without.copy()
        part = masks.part_of_change(*pairs[0]) if pairs else (0.0, 1.0, 0.0, 1.0)
        rendering.limit(part)
        columns, rows = (
            slice(round(a * n) + 2, round(b * n) - 2)  # within what Blender may round either way
            for a, b, n in zip(part[::2], part[1::2], shape, strict=True)
        )
        rows = slice(shape[1] - rows.stop, shape[1] - rows.start)  # Blender counts from the bottom
        with_it[rows, columns] = rendering.render(scratch)[rows, columns]
        rendering.limit(None)
        pairs.append((without, with_it))
    return pairs[1]


def render_room(name: str, options: argparse.Namespace, scratch: Path) -> dict[str, np.ndarray]:
    """Render one room's pair and derive its masks."""
    room = scene.read(name)
    target = scene.build(room, options.furniture.resolve())
    wide, tall = room["camera"].get("shape", [4, 3])
    scale = options.width / max(wide, tall)
    size, exposure = (round(wide * scale), round(tall * scale)), room["camera"].get("exposure", 0.7)
    if options.truth_only:
        rendering.set_up(*size, options.samples, exposure)
        return {"truth": rendering.render(scratch)}
    source, truth = render_pair(target, size, options.samples, exposure, scratch)
    thing = rendering.render_mask(target, scratch)
    effect = masks.effect_mask(source, truth, thing)
    blended = masks.blend(source, truth, effect)
    loose = masks.loose_mask(thing, masks.change(source, blended), room.get("mask", {}), ROOMS.index(name))
    return {"source": source, "truth": blended, "mask": loose, "object_mask": thing, "effect_mask": effect}


def main() -> None:
    """Render the rooms asked for; once all ten are there, write manifest and contact sheet."""
    parser = argparse.ArgumentParser(description="Render the data set furniture-rooms.")
    parser.add_argument("--furniture", type=Path, required=True, help="the unpacked library's folder of models")
    parser.add_argument("--out", type=Path, required=True, help="output folder")
    parser.add_argument("--only", nargs="*", choices=ROOMS, default=ROOMS, help="render just these rooms")
    parser.add_argument("--width", type=int, default=1024, help="pixels of the longer side")
    parser.add_argument("--samples", type=int, default=40, help="light paths per pixel")
    parser.add_argument("--truth-only", action="store_true", help="a sketch: PNG pictures with the object, no masks")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            start = time.monotonic()
            made = render_room(name, options, Path(folder) / "render.png")
            if options.truth_only:
                Image.fromarray(made["truth"]).save(options.out / f"{name}.png")
            else:
                dataset.save(options.out, name, made)
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    whole = all((options.out / dataset.file_of(name, "truth")).exists() for name in ROOMS)
    if whole and not options.truth_only:
        dataset.write_manifest(options.out, {name: scene.read(name) for name in ROOMS})
        dataset.draw_sheet(options.out, list(ROOMS))


if __name__ == "__main__":
    main()
