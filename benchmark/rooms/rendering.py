"""Rendering with Cycles: the picture, and the exact mask of some objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from PIL import Image


def set_up(width: int, height: int, samples: int, exposure: float) -> None:
    """Choose renderer, size, and a film-like rendering of light; every render starts from the same seed."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device, scene.cycles.seed = "CYCLES", "CPU", 0
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = samples, True, 6
    scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 4, 3
    scene.cycles.use_adaptive_sampling, scene.cycles.adaptive_min_samples = True, min(samples, 8)
    scene.cycles.adaptive_threshold = 0.06  # bright, even walls are done early; the denoiser does the rest
    scene.cycles.sample_clamp_indirect = 8.0
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = exposure
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    scene.render.dither_intensity = 0  # noise that would only cost bytes


def render(scratch: Path) -> np.ndarray:
    """Render to an array, height x width x 3, 8 bits."""
    bpy.context.scene.render.filepath = str(scratch)
    bpy.ops.render.render(write_still=True)
    with Image.open(scratch) as drawn:
        return np.array(drawn.convert("RGB"))


def limit(part: tuple[float, float, float, float] | None) -> None:
    """Render only a part of the picture (left, right, bottom, top, from 0 to 1), black around it; None is all of it."""
    settings = bpy.context.scene.render
    settings.use_border, settings.use_crop_to_border = part is not None, False
    if part:
        settings.border_min_x, settings.border_max_x, settings.border_min_y, settings.border_max_y = part


def hide(things: Sequence[bpy.types.Object], hidden: bool) -> None:
    """Take things out of the scene, with their shadows and reflections, or put them back."""
    for thing in things:
        thing.hide_render = hidden


def glowing(name: str, strength: float) -> bpy.types.Material:
    """Make a material that shines evenly and takes no light."""
    mat = bpy.data.materials.new(name)
    mat.use_nodes = True
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    light = nodes.new("ShaderNodeEmission")
    light.inputs["Strength"].default_value = strength
    links.new(light.outputs[0], nodes["Material Output"].inputs["Surface"])
    return mat


def render_mask(target: Sequence[bpy.types.Object], scratch: Path) -> np.ndarray:
    """Render where the target is seen: it shines white, everything else is black; glass panes are left out.

    This changes the scene's materials for good, so it comes last.
    """
    scene, white, black = bpy.context.scene, glowing("seen", 1), glowing("unseen", 0)
    clear = {bpy.data.materials["glass"]}
    for thing in [made for made in scene.objects if made.type in {"MESH", "CURVE"}]:
        if clear & {slot.material for slot in thing.material_slots}:
            thing.hide_render = True
        for slot in thing.material_slots:
            slot.material = white if thing in target else black
    for light in [made for made in scene.objects if made.type == "LIGHT"]:
        light.hide_render = True
    scene.world = None
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 16, False, 0
    scene.view_settings.view_transform, scene.view_settings.look = "Raw", "None"
    scene.view_settings.exposure = 0
    return render(scratch)[..., 0] > 127
