"""Panels put together to one picture, as a file beside a report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from inpaint_benchmark.report.album.panels import Panel

_GAP, _LINE, _SIZE = 10, 20, 15
_PAPER, _INK, _EMPTY = (255, 255, 255), (27, 31, 36), (236, 238, 241)
#: Panels of the samples in a row.
_ACROSS = 4
_CELL = 300


def sheet(rows: Sequence[Sequence[tuple[Panel, str]]], cell: int = _CELL) -> Image.Image:
    """Rows of panels, each under its title; titles may be of several lines."""
    columns = max(len(row) for row in rows)
    wrapped = [[_wrapped(title, cell) for _, title in row] for row in rows]
    lines = [max(len(title) for title in row) for row in wrapped]
    heights = [max(_fitted(panel, cell)[1] for panel, _ in row) for row in rows]
    size = (
        columns * (cell + _GAP) + _GAP,
        sum(count * _LINE + height + 2 * _GAP for count, height in zip(lines, heights, strict=True)) + _GAP,
    )
    drawn = Image.new("RGB", size, _PAPER)
    font = ImageFont.load_default(_SIZE)
    draw = ImageDraw.Draw(drawn)
    top = _GAP
    for row, titles, count, height in zip(rows, wrapped, lines, heights, strict=True):
        for column, ((panel, _), title) in enumerate(zip(row, titles, strict=True)):
            left = _GAP + column * (cell + _GAP)
            draw.multiline_text((left, top), "\n".join(title), fill=_INK, font=font, spacing=_LINE - _SIZE)
            _draw(drawn, draw, panel, (left, top + count * _LINE + 4), cell, font)
        top += count * _LINE + height + 2 * _GAP
    return drawn


def grid(panels: Sequence[tuple[Panel, str]]) -> Image.Image:
    """Panels one after another, some in a row."""
    return sheet([panels[start : start + _ACROSS] for start in range(0, len(panels), _ACROSS)])


def _draw(
    drawn: Image.Image,
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    place: tuple[int, int],
    cell: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    image, size = panel.image(), _fitted(panel, cell)
    if image is not None:
        drawn.paste(image.resize(size, Image.Resampling.LANCZOS), place)
        return
    left, top = place
    draw.rectangle((left, top, left + size[0], top + size[1]), fill=_EMPTY)
    draw.multiline_text((left + 8, top + 8), "\n".join(_wrapped(panel.alt, cell)), fill=_INK, font=font)


def _fitted(panel: Panel, cell: int) -> tuple[int, int]:
    return cell, max(1, round(panel.height * cell / panel.width))


def _wrapped(text: str, cell: int) -> list[str]:
    return textwrap.wrap(text, max(10, int(cell / (_SIZE * 0.52)))) or [""]
