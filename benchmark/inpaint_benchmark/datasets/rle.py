"""Masks as runs: start, length, start, length, ... over the pixels row by row, as BrushBench and PIE-Bench have them.

Sources: `rle2mask` in TencentARC/BrushNet, examples/brushnet/evaluate_brushnet.py, whose starts count from 1, and
`mask_decode` in cure-lab/PnPInversion, evaluation/evaluate.py, whose starts count from 0.
"""

from __future__ import annotations

import re

from inpaint_core.errors import EmptyMask, InvalidRequest
from inpaint_core.job import printable
from PIL import Image

#: Digits of the largest number that is read: a picture has fewer pixels.
_MOST_DIGITS = 12


def decode_rle(
    runs: object, size: tuple[int, int], base: int, *, border: bool = False, cut: bool = False
) -> Image.Image:
    """A mask in mode L of `size` (width, height), 255 in every run. `base`: the number of the first pixel, 0 or 1.

    `runs` is a list of whole numbers (or of texts of them), or one text with spaces. `border` marks the outermost
    pixels, too; `cut` ends a run that goes past the last pixel there, as both readers do, instead of refusing it.
    Raises `InvalidRequest`, and `EmptyMask` if there is no run.
    """
    numbers = _numbers(runs)
    if len(numbers) % 2:
        raise InvalidRequest(
            f"The mask has {len(numbers)} numbers, and runs are pairs of start and length. The file is damaged, or "
            "this is another encoding (COCO's counts have no starts)."
        )
    width, height = size
    pixels = bytearray(width * height)
    for index in range(0, len(numbers), 2):
        start, length = numbers[index] - base, numbers[index + 1]
        _check_run(index // 2 + 1, start, length, base, size, cut)
        end = min(start + length, len(pixels))
        pixels[start:end] = b"\xff" * max(0, end - start)
    if not any(pixels):  # before the border, which is no edit
        raise EmptyMask("The mask has no run, so that it marks nothing to repaint.", what="mask")
    mask = Image.frombytes("L", size, bytes(pixels))
    if border:
        mask.paste(255, (0, 0, width, 1))
        mask.paste(255, (0, height - 1, width, height))
        mask.paste(255, (0, 0, 1, height))
        mask.paste(255, (width - 1, 0, width, height))
    return mask


def _check_run(number: int, start: int, length: int, base: int, size: tuple[int, int], cut: bool) -> None:
    pixels = size[0] * size[1]
    run = f"Run {number} of the mask (start {start + base}, length {length})"
    if start < 0:
        hint = " A start of 0 means that they count from 0: say base 0." if base == 1 and start == -1 else ""
        raise InvalidRequest(f"{run} begins before the first pixel, which is number {base}.{hint}")
    if length < 0:
        raise InvalidRequest(f"{run} has a negative length.")
    if start >= pixels or (start + length > pixels and not cut):
        hint = " If the starts count from 1, say base 1." if base == 0 and start + length == pixels + 1 else ""
        raise InvalidRequest(
            f"{run} goes past the last pixel: a mask of {size[0]}x{size[1]} has {pixels:,}.{hint} Name the size that "
            "the masks were made for (size)" + ("." if start >= pixels else ", or have such runs cut (cut_runs).")
        )


def _numbers(runs: object) -> list[int]:
    items = runs.split() if isinstance(runs, str) else runs
    if not isinstance(items, list):
        raise InvalidRequest(f"The mask must be a list of starts and lengths, found {printable(repr(runs))[:40]}.")
    return [_number(item, position) for position, item in enumerate(items, start=1)]


def _number(item: object, position: int) -> int:
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    if isinstance(item, str) and re.fullmatch(rf"-?[0-9]{{1,{_MOST_DIGITS}}}", item, re.ASCII):
        return int(item)
    raise InvalidRequest(
        f"Number {position} of the mask must be a whole number, found {printable(repr(item))[:40]}.", position=position
    )
