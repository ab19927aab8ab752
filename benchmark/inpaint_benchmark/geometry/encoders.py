"""Encoders of lossless pictures, beside each other: those that are installed."""

from __future__ import annotations

import importlib
import io
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
from inpaint_worker.arrays import Samples
from inpaint_worker.geometry.encode import encode_png
from PIL import Image

#: Naming a strategy turns off the filter that it chooses by default.
_UNFILTERED = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
Encoder = Callable[[Samples], bytes]


def encoders() -> Iterator[tuple[str, Encoder | None]]:
    """Name and encoder of RGB, 8 bits; None for one whose package is not installed."""
    yield "ISA-L, level 1, UP (the fleet's)", encode_png
    yield "OpenCV, defaults (SUB, run lengths)", lambda pixels: _opencv(pixels, [])
    yield "OpenCV, level 1 without a filter", lambda pixels: _opencv(pixels, _UNFILTERED)
    yield "Pillow, defaults", lambda pixels: _pillow(pixels, "PNG")
    yield (
        "Pillow, level 1, run lengths",
        lambda pixels: _pillow(pixels, "PNG", compress_level=1, compress_type=zlib.Z_RLE),
    )
    yield (
        "Pillow, WebP lossless, method 0",
        lambda pixels: _pillow(pixels, "WEBP", lossless=True, method=0, quality=0, exact=True),
    )
    yield "imagecodecs, level 1, run lengths, SUB", _imagecodecs()
    yield "pyvips, level 1, UP", _pyvips()


def measure_encoders(pixels: Samples, rounds: int) -> Iterator[tuple[str, float | None, int | None]]:
    """Each encoder with its median CPU milliseconds and the bytes that it makes of `pixels`."""
    for name, encode in encoders():
        if encode is None:
            yield name, None, None
            continue
        taken, size = [], 0
        for _ in range(rounds):
            began = time.process_time()
            size = len(encode(pixels))
            taken.append((time.process_time() - began) * 1000)
        yield name, statistics.median(taken), size


def _pillow(pixels: Samples, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _opencv(pixels: Samples, flags: list[int]) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1])


def _imagecodecs() -> Encoder | None:
    codecs = _installed("imagecodecs")
    if codecs is None:
        return None
    kinds = {"level": 1, "strategy": codecs.PNG.STRATEGY.RLE, "filter": codecs.PNG.FILTER.SUB}
    return lambda pixels: bytes(codecs.png_encode(pixels, **kinds))


def _pyvips() -> Encoder | None:
    vips = _installed("pyvips")
    if vips is None:
        return None
    return lambda pixels: bytes(vips.Image.new_from_array(pixels).pngsave_buffer(compression=1, filter="up"))


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):
        return None
