"""Camera, sun and sky."""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Vector


def add_camera(view: dict[str, Any]) -> None:
    """Set up the camera; it looks level unless its aim says otherwise, so that upright lines stay upright."""
    scene = bpy.context.scene
    lens = bpy.data.cameras.new("camera")
    lens.lens, lens.shift_x, lens.shift_y = view["lens"], view.get("shift_x", 0), view.get("shift_y", 0)
    eye, aim = Vector(view["eye"]), Vector(view["aim"])
    made = bpy.data.objects.new("camera", lens)
    made.location, made.rotation_euler = eye, (aim - eye).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(made)
    scene.camera = made


def add_sun(sun: dict[str, Any]) -> None:
    """Let a sun shine along a direction; its angle makes the shadows' edges softer."""
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.angle, light.color = (
        sun["strength"],
        sun.get("angle", 0.010),
        sun.get("colour", (1, 0.87, 0.70)),
    )
    made = bpy.data.objects.new("sun", light)
    made.rotation_euler = Vector(sun["direction"]).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(made)


def add_sky(sky: dict[str, Any]) -> None:
    """Light the room with an even sky, and show the camera a bright garden below it instead of an empty sky."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world, world.use_nodes = world, True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    even = nodes["Background"]
    even.inputs["Color"].default_value = (*sky.get("colour", (0.70, 0.80, 0.98)), 1)
    even.inputs["Strength"].default_value = sky.get("strength", 1.1)
    way, parts, noise = (nodes.new(f"ShaderNode{kind}") for kind in ("TexCoord", "SeparateXYZ", "TexNoise"))
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 7, 7
    links.new(way.outputs["Generated"], parts.inputs[0])
    links.new(way.outputs["Generated"], noise.inputs["Vector"])
    height, ramp, shown = (nodes.new(f"ShaderNode{kind}") for kind in ("Math", "ValToRGB", "Background"))
    height.operation = "MULTIPLY_ADD"  # the treetops' outline: height plus noise
    height.inputs[1].default_value = 0.55
    links.new(noise.outputs["Fac"], height.inputs[0])
    links.new(parts.outputs["Z"], height.inputs[2])
    links.new(height.outputs[0], ramp.inputs["Fac"])
    spots = ramp.color_ramp.elements
    spots[0].position, spots[0].color = 0.16, (0.42, 0.47, 0.30, 1)  # lawn
    spots[1].position, spots[1].color = 0.25, (0.13, 0.20, 0.09, 1)  # shade below the trees
    for at, colour in ((0.36, (0.34, 0.42, 0.22)), (0.42, (0.86, 0.93, 1.0))):
        spots.new(at).color = (*colour, 1)
    links.new(ramp.outputs["Color"], shown.inputs["Color"])
    shown.inputs["Strength"].default_value = sky.get("shown", 2.0)
    path, mix = nodes.new("ShaderNodeLightPath"), nodes.new("ShaderNodeMixShader")
    links.new(path.outputs["Is Camera Ray"], mix.inputs["Fac"])
    links.new(even.outputs[0], mix.inputs[1])
    links.new(shown.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes["World Output"].inputs["Surface"])
