"""Materials from data: colour and gloss, and what makes a surface look real (relief, grain, joints, pattern).

Every texture runs in object space, so nothing needs unwrapping. A material is found by its name afterwards.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import paintings

Values = dict[str, Any]  # what to put into the inputs of a shader node
Colour = list[float]


def texture(mat: bpy.types.Material, kind: str, settings: Values, mapping: Values) -> bpy.types.Node:
    """Add a texture node in object space."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    made, space = nodes.new(kind), nodes.new("ShaderNodeMapping")
    for target, values in ((made, settings), (space, mapping)):
        for key, value in values.items():
            target.inputs[key].default_value = value
    links.new(nodes.new("ShaderNodeTexCoord").outputs["Object"], space.inputs["Vector"])
    links.new(space.outputs[0], made.inputs["Vector"])
    return made


def bump(mat: bpy.types.Material, height: bpy.types.NodeSocket, strength: float, depth: float = 0.01) -> None:
    """Let a texture's value tilt the surface."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    made = nodes.new("ShaderNodeBump")
    made.inputs["Strength"].default_value, made.inputs["Distance"].default_value = strength, depth
    links.new(height, made.inputs["Height"])
    links.new(made.outputs["Normal"], nodes["Principled BSDF"].inputs["Normal"])


def bricks(mat: bpy.types.Material, colour: Colour, turn: Colour, offset: float, sizes: Values) -> bpy.types.Node:
    """Add a brick texture with two tones of one colour; ``turn`` in degrees brings its plane onto the surface."""
    tones = (("Color1", 0.84), ("Color2", 1.12), ("Mortar", 0.3))
    shades = {key: (*(tone * c for c in colour), 1) for key, tone in tones}
    made = texture(mat, "ShaderNodeTexBrick", shades | sizes, {"Rotation": [math.radians(a) for a in turn]})
    made.offset = offset
    return made


def add_grain(mat: bpy.types.Material, look: Values) -> None:
    """Multiply the colour with streaks, and cut the surface into boards where asked for."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    colour, skin = look["colour"], nodes["Principled BSDF"].inputs
    lines = texture(mat, "ShaderNodeTexNoise", {"Scale": 1, "Detail": 8}, {"Scale": look["grain"]})
    ramp, mix = nodes.new("ShaderNodeValToRGB"), nodes.new("ShaderNodeMix")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.35, 0.65
    ramp.color_ramp.elements[0].color = (0.66, 0.61, 0.56, 1)
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs["Factor"].default_value, mix.inputs["A"].default_value = look.get("streaks", 0.6), (*colour, 1)
    links.new(lines.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], mix.inputs["B"])
    links.new(mix.outputs["Result"], skin["Base Color"])
    if "planks" in look:
        length, row, gap = look["planks"]
        sizes = {"Scale": 1, "Brick Width": length, "Row Height": row, "Mortar Size": gap}
        joints = bricks(mat, colour, look.get("turn", [0, 0, 90]), 0.37, sizes)
        links.new(joints.outputs["Color"], mix.inputs["A"])


def add_tiles(mat: bpy.types.Material, look: Values) -> None:
    """Lay tiles: width, height, joint; ``turn`` brings them onto a wall."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    wide, tall, gap = look["tiles"]
    tones = (("Color1", 0.93), ("Color2", 1.04))
    sizes = {"Scale": 1, "Brick Width": wide, "Row Height": tall, "Mortar Size": gap, "Mortar Smooth": 0.4}
    sizes |= {key: (*(tone * c for c in look["colour"]), 1) for key, tone in tones}
    made = bricks(mat, look["colour"], look.get("turn", [0, 0, 0]), look.get("offset", 0.0), sizes)
    made.inputs["Mortar"].default_value = (*look["joint"], 1)
    links.new(made.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    invert = nodes.new("ShaderNodeInvert")
    links.new(made.outputs["Fac"], invert.inputs["Color"])  # Fac is 1 in the joint, which lies lower
    bump(mat, invert.outputs["Color"], 0.5, 0.003)


def add_specks(mat: bpy.types.Material, look: Values) -> None:
    """Mix a second colour in where noise is high: variegated leaves, terrazzo, speckled clay."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    scale, level, blur = look["specks"]
    noise = texture(mat, "ShaderNodeTexNoise", {"Scale": scale, "Detail": 3}, {})
    ramp = nodes.new("ShaderNodeValToRGB")
    for spot, at, colour in zip(
        ramp.color_ramp.elements, (level, level + blur), (look["colour"], look["second"]), strict=True
    ):
        spot.position, spot.color = at, (*colour, 1)
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])


def add_picture(mat: bpy.types.Material, look: Values) -> None:
    """Show one of our own paintings; the surface's first two object axes run from -0.5 to 0.5 over it."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    made = texture(mat, "ShaderNodeTexImage", {}, {"Location": (0.5, 0.5, 0)})
    made.image = paintings.image(look["painting"])
    made.extension = "EXTEND"
    links.new(made.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])


def mix_surface(mat: bpy.types.Material, other: str, share: float, colour: Colour) -> None:
    """Mix another shader with the material's own: cloth and leaves that light shines through, panes of glass."""
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    second, mix = nodes.new(other), nodes.new("ShaderNodeMixShader")
    second.inputs["Color"].default_value, mix.inputs["Fac"].default_value = (*colour, 1), share
    links.new(nodes["Principled BSDF"].outputs[0], mix.inputs[1])
    links.new(second.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes["Material Output"].inputs["Surface"])


def make_material(name: str, look: Values) -> None:
    """Make one material from its description."""
    mat = bpy.data.materials.new(name)
    mat.use_nodes = True
    colour, skin = look["colour"], mat.node_tree.nodes["Principled BSDF"].inputs
    skin["Base Color"].default_value = (*colour, 1)
    skin["Roughness"].default_value, skin["Metallic"].default_value = look.get("rough", 0.6), look.get("metal", 0)
    skin["Coat Weight"].default_value = look.get("coat", 0)
    skin["Sheen Weight"].default_value = look.get("sheen", 0)
    if "relief" in look:
        spots = texture(mat, "ShaderNodeTexNoise", {"Scale": look["relief"][0]}, {})
        bump(mat, spots.outputs["Fac"], look["relief"][1])
    for key, add in (("grain", add_grain), ("tiles", add_tiles), ("specks", add_specks), ("painting", add_picture)):
        if key in look:
            add(mat, look)
    if "sheer" in look:
        mix_surface(mat, "ShaderNodeBsdfTranslucent", look["sheer"], colour)
    if "clear" in look:
        mix_surface(mat, "ShaderNodeBsdfTransparent", look["clear"], [1, 1, 1])


def make_materials(looks: dict[str, Values]) -> None:
    """Make every material; it is found by its name afterwards."""
    for name, look in looks.items():
        make_material(name, look)
