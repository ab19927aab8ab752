"""Draws the pictures of docs/images-and-masks.md from the demo's room (our own rendering, CC0). Run: make pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import Box, EditOptions, MaskShapes
from inpaint_core.images import Limits
from inpaint_core.settings import load_settings
from inpaint_core.size import SizeRule
from inpaint_worker.arrays import FULL_WEIGHT
from inpaint_worker.geometry.canvas import Canvas, MaskInput, open_canvas
from inpaint_worker.geometry.region import cut, make_region
from inpaint_worker.pipelines import Edit, build_pipeline
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "fleet" / "inpaint_fleet" / "demo"
LIMITS = Limits(1 << 28, 50_000_000, 16_384)
#: SDXL's.
ONE_MEGAPIXEL = SizeRule(multiple_of=8, native_area=1024**2)
RED, GAP, FONT = (225, 30, 40), 10, ImageFont.load_default(17)


def main() -> None:
    """Draw all of them."""
    edits().save(HERE / "edits.jpg", quality=88)
    mask_options().save(HERE / "mask-options.jpg", quality=88)
    fits().save(HERE / "fit.jpg", quality=88)


def edits() -> Image.Image:
    """Before, edit region, after: a drawn mask, a box, and erased pixels."""
    room, drawn = (DEMO / "room.jpg").read_bytes(), (DEMO / "room-mask.png").read_bytes()
    erased = Image.open(io.BytesIO(room)).convert("RGBA")
    hole = Image.new("L", erased.size, 255)
    ImageDraw.Draw(hole).ellipse((715, 322, 757, 366), fill=0)
    erased.putalpha(hole)
    rows: list[tuple[str, bytes, MaskInput, dict[str, Any], Box]] = [
        ("--mask mask.png --feather 2", room, drawn, {"feather": 2}, Box(60, 130, 520, 530)),
        ("--box 312,180,520,330 --grow 6", room, MaskShapes(boxes=((312, 180, 520, 330),)), {"grow": 6},
         Box(230, 100, 690, 500)),
        ("--mask alpha --grow 4", encode(erased), None, {"grow": 4}, Box(560, 200, 1020, 600)),
    ]  # fmt: skip
    sheet = []
    for caption, source, mask, options, part in rows:
        canvas = painted(source, mask, options)
        before = Image.fromarray(canvas.source.pixels)
        if canvas.source.alpha is not None:
            before = Image.composite(before, checkers(before.size), Image.fromarray(canvas.source.alpha))
        after = Image.fromarray(canvas.picture)
        panels = [before, overlaid(canvas.source.pixels, canvas.region.marked), after]
        titles = ["before", caption, "after"]
        sheet.append([labelled(p.crop(part), title) for p, title in zip(panels, titles, strict=True)])
    return arranged(sheet)


def mask_options() -> Image.Image:
    """One drawn ring under each option; the redder, the more of the new content goes in."""
    room = np.asarray(Image.open(DEMO / "room.jpg").convert("RGB"))
    ring = Image.new("L", (room.shape[1], room.shape[0]))
    draw = ImageDraw.Draw(ring)
    draw.ellipse((335, 195, 500, 315), outline=255, width=16)
    panels = []
    options: list[dict[str, Any]] = [
        {}, {"grow": 14}, {"fill_holes": True}, {"fill_holes": True, "grow": 14, "feather": 24},
    ]  # fmt: skip
    for chosen in options:
        region = make_region(np.asarray(ring), EditOptions(**chosen))
        share = np.zeros(region.marked.shape)
        share[region.marked] = 1
        if region.weights is not None:
            share[cut(region.box)] = region.weights / FULL_WEIGHT
        panel = overlaid(room, share).crop((290, 150, 550, 360))
        flags = " ".join(
            f"--{name.replace('_', '-')} {'' if value is True else value}" for name, value in chosen.items()
        )
        panels.append(labelled(panel.resize((390, 315), Image.Resampling.LANCZOS), flags or "as drawn"))
    return arranged([panels[:2], panels[2:]])


def fits() -> Image.Image:
    """What a model of one megapixel is shown of a photo of twelve: the crop, and the whole."""
    photo = Image.open(DEMO / "room.jpg").convert("RGB").resize((4000, 3000), Image.Resampling.LANCZOS)
    shapes = MaskShapes(boxes=((2000, 1960, 2300, 2220),))
    panels = []
    for fit in ("crop", "whole"):
        canvas = open_canvas(encode(photo, "JPEG"), shapes, EditOptions(fit=fit, grow=20), ONE_MEGAPIXEL, LIMITS)
        window = canvas.windows[0]
        seen, mask = canvas.show(0)
        marked = overlaid(np.asarray(photo), canvas.region.marked)
        ImageDraw.Draw(marked).rectangle(window.box, outline=(20, 90, 220), width=24)
        # Both at the same scale: how large the model paints.
        width, height = 480, 360
        rows, columns = np.nonzero(mask)
        middle = (int(columns.mean()), int(rows.mean()))
        left = min(max(0, middle[0] - width // 2), seen.shape[1] - width)
        top = min(max(0, middle[1] - height // 2), seen.shape[0] - height)
        closer = overlaid(seen, mask).crop((left, top, left + width, top + height))
        size = f"{window.size[0]}x{window.size[1]}"
        panels.append([
            labelled(marked.resize((width, height), Image.Resampling.LANCZOS), f"--fit {fit}: the model sees the blue"),
            labelled(closer, f"painted at {size}, {window.scale:.2f} of the photo's detail (part)"),
        ])  # fmt: skip
    return arranged(panels)


def painted(source: bytes, mask: MaskInput, options: dict[str, Any]) -> Canvas:
    """An edit by opencv-telea."""
    card = load_catalogue().card("opencv-telea")
    pipeline = build_pipeline(card, load_settings())
    pipeline.load()
    canvas = open_canvas(source, mask, EditOptions(**options), card.size, LIMITS)
    for number in range(len(canvas.windows)):
        image, region = canvas.show(number)
        canvas.take(number, pipeline.run(Edit(image, region, 0, parameters=card.resolve({})), lambda *_: None))
    canvas.result()  # raises if anything else had changed
    return canvas


def overlaid(pixels: np.ndarray, share: np.ndarray) -> Image.Image:
    """The picture with red where `share` is above 0."""
    amount = np.asarray(share, float)[..., None] * 0.7
    return Image.fromarray(np.rint(pixels * (1 - amount) + np.array(RED) * amount).astype(np.uint8))


def checkers(size: tuple[int, int]) -> Image.Image:
    """What stands for transparency."""
    y, x = np.mgrid[: size[1], : size[0]]
    grey = np.where((x // 8 + y // 8) % 2, 255, 205).astype(np.uint8)
    return Image.fromarray(np.dstack([grey] * 3))


def labelled(panel: Image.Image, title: str) -> Image.Image:
    """The panel under its title."""
    sheet = Image.new("RGB", (panel.width, panel.height + 26), "white")
    ImageDraw.Draw(sheet).text((2, 2), title, fill=(30, 30, 30), font=FONT)
    sheet.paste(panel, (0, 26))
    return sheet


def arranged(rows: list[list[Image.Image]]) -> Image.Image:
    """Panels of one size in rows."""
    width, height = rows[0][0].size
    sheet = Image.new("RGB", (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            sheet.paste(panel, (x * (width + GAP), y * (height + GAP)))
    return sheet


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
