"""Files of the data set: pictures, the manifest with their sums, and the contact sheet."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

DESCRIPTION = (
    "Ten rendered interiors, each without and with one object: the same scene, seed and sampling, with a loosely drawn "
    "mask, the object's exact mask, and the mask of all that it changes (shadow, reflections)."
)
PICTURES, MASKS = ("source", "truth"), ("mask", "object_mask", "effect_mask")


def file_of(name: str, part: str) -> str:
    """Name a sample's file, relative to the manifest."""
    return f"{part}/{name}.{'webp' if part in PICTURES else 'png'}"


def save(folder: Path, name: str, parts: dict[str, np.ndarray]) -> None:
    """Write a sample's pictures (lossless WebP) and masks (8-bit grey PNG, 0 or 255)."""
    for part, data in parts.items():
        path = folder / file_of(name, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        if part in PICTURES:
            Image.fromarray(data).save(path, lossless=True, quality=100, method=4, exact=True)
        else:
            Image.fromarray(data.astype(np.uint8) * 255).save(path, optimize=True)


def write_manifest(folder: Path, rooms: dict[str, dict[str, Any]]) -> None:
    """List all samples with their prompts and the sums of their files."""
    samples = []
    for name, room in rooms.items():
        files = {part: file_of(name, part) for part in ("source", "mask", "truth", "object_mask", "effect_mask")}
        sums = {part: hashlib.sha256((folder / file).read_bytes()).hexdigest() for part, file in files.items()}
        words = {key: " ".join(room[key].split()) for key in ("prompt", "negative_prompt")}
        samples.append({"id": name, **files, **words, "licence": "CC0-1.0", "sha256": sums})
    head = {"name": "furniture-rooms", "version": "1.0", "licence": "CC0-1.0", "description": DESCRIPTION}
    text = json.dumps(head | {"polarity": "white", "samples": samples}, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n")


def draw_sheet(folder: Path, names: list[str], wide: int = 330) -> None:
    """Draw all pairs, the source above its truth, with the loose mask's outline in red and the exact one in blue."""
    tall, gap, columns, label = wide, 6, 5, 14
    rows = -(-len(names) // columns)
    paper = Image.new("RGB", (columns * (wide + gap) + gap, rows * (2 * tall + 3 * gap + label)), "white")
    for k, name in enumerate(names):
        left, top = gap + (k % columns) * (wide + gap), (k // columns) * (2 * tall + 3 * gap + label)
        for row, part in enumerate(PICTURES):
            shown = np.array(Image.open(folder / file_of(name, part)))
            if part == "source":
                for mask, ink in (("mask", (230, 30, 30)), ("object_mask", (40, 110, 255))):
                    area = np.array(Image.open(folder / file_of(name, mask))) > 127
                    shown[ndimage.binary_dilation(area, iterations=2) & ~ndimage.binary_erosion(area)] = ink
            small = Image.fromarray(shown)
            small.thumbnail((wide, tall), Image.Resampling.LANCZOS)
            paper.paste(small, (left + (wide - small.width) // 2, top + label + row * (tall + gap)))
        ImageDraw.Draw(paper).text((left, top), name.replace("_", " "), fill="black")
    paper.save(folder / "sheet.jpg", quality=86, optimize=True)
