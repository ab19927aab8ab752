"""Pictures in every form that people send, each with what it holds: known from its making, or decoded by Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, write_png
from tiffs import write_tiff

Samples = npt.NDArray[Any]


@dataclass(frozen=True)
class Picture:
    """A file and what is in it: H x W x 3 and H x W, uint8 or uint16."""

    data: bytes
    pixels: Samples
    alpha: Samples | None = None


def make_picture(form: str, width: int, height: int, seed: int = 0) -> Picture:
    """A picture of noise in one of `FORMS`, so that no two pixels are alike by chance alone."""
    return FORMS[form](np.random.default_rng(seed), (height, width))


def _noise(rng: np.random.Generator, shape: tuple[int, ...], bits: int = 8) -> Samples:
    return rng.integers(0, 2**bits, shape, np.uint16 if bits > 8 else np.uint8)


def _in_rgb(grey: Samples) -> Samples:
    return np.repeat(grey[..., None], 3, axis=2)


def _grey_png(bits: int, interlaced: bool = False) -> Callable[..., Picture]:
    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        grey = _noise(rng, size, bits)
        data = write_png(grey, GREY, bits, interlaced=interlaced)
        scale = 1 if bits > 8 else 255 // (2**bits - 1)
        return Picture(data, _in_rgb(grey * grey.dtype.type(scale)))

    return make


def _png(kind: int, bits: int, interlaced: bool = False) -> Callable[..., Picture]:
    channels = {GREY_ALPHA: 2, RGB: 3, RGBA: 4}[kind]

    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        samples = _noise(rng, (*size, channels), bits)
        # What people leave out is clear, what they keep is opaque, and little is in between.
        alpha = samples[..., -1] if channels != 3 else None
        if alpha is not None:
            third = 2**bits // 3
            alpha[alpha < third] = 0
            alpha[alpha > 2 * third] = 2**bits - 1
        pixels = _in_rgb(samples[..., 0]) if channels == 2 else samples[..., :3]
        return Picture(write_png(samples, kind, bits, interlaced=interlaced), pixels, alpha)

    return make


def _keyed_png(kind: int, bits: int) -> Callable[..., Picture]:
    """One colour is transparent: that of the first pixel."""

    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        # Few colours, so that the key is met with often.
        samples = _noise(rng, (*size, 3), 2).astype(np.uint16 if bits > 8 else np.uint8)
        if kind == GREY:
            samples = _in_rgb(samples[..., 0])
        key = samples[0, 0].copy()
        alpha = np.where((samples == key).all(axis=2), 0, 2**bits - 1).astype(samples.dtype)
        content = (key[:1] if kind == GREY else key).astype(">u2").tobytes()
        stored = samples[..., 0] if kind == GREY else samples
        return Picture(write_png(stored, kind, bits, transparent=content), samples, alpha)

    return make


def _palette_png(bits: int, transparent: bool) -> Callable[..., Picture]:
    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        palette, indices = _noise(rng, (2**bits, 3)), _noise(rng, size, bits)
        alphas = _noise(rng, (max(1, 2**bits - 1),)) if transparent else np.zeros(0, np.uint8)
        data = write_png(indices, PALETTE, bits, palette=palette, transparent=alphas.tobytes())
        table = np.full(2**bits, 255, np.uint8)
        table[: len(alphas)] = alphas
        return Picture(data, palette[indices], table[indices] if transparent else None)

    return make


def _tiff(channels: int, bits: int, big_endian: bool = False) -> Callable[..., Picture]:
    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        samples = _noise(rng, (*size, channels) if channels > 1 else size, bits)
        data = write_tiff(samples, extra=2 if channels == 4 else None, big_endian=big_endian)
        pixels = samples[..., :3] if channels > 1 else _in_rgb(samples)
        return Picture(data, pixels, samples[..., 3] if channels == 4 else None)

    return make


def _by_pillow(kind: str, mode: str, **options: Any) -> Callable[..., Picture]:
    def make(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        image = Image.fromarray(_noise(rng, (*size, 4)), "RGBA").convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        with Image.open(buffer) as decoded:
            has_alpha = decoded.mode in ("RGBA", "LA")
            samples = np.asarray(decoded.convert("RGBA" if has_alpha else "RGB"))
        return Picture(buffer.getvalue(), samples[..., :3], samples[..., 3] if has_alpha else None)

    return make


FORMS: dict[str, Callable[..., Picture]] = {
    **{f"png grey {bits}": _grey_png(bits) for bits in (1, 2, 4, 8, 16)},
    **{f"png grey {bits} interlaced": _grey_png(bits, interlaced=True) for bits in (1, 8, 16)},
    **{f"png palette {bits}": _palette_png(bits, transparent=False) for bits in (1, 4, 8)},
    **{f"png palette {bits} transparent": _palette_png(bits, transparent=True) for bits in (1, 4, 8)},
    **{f"png grey and alpha {bits}": _png(GREY_ALPHA, bits) for bits in (8, 16)},
    **{f"png RGB {bits}": _png(RGB, bits) for bits in (8, 16)},
    **{f"png RGBA {bits}": _png(RGBA, bits) for bits in (8, 16)},
    **{f"png RGB {bits} interlaced": _png(RGB, bits, interlaced=True) for bits in (8, 16)},
    "png RGBA 16 interlaced": _png(RGBA, 16, interlaced=True),
    **{f"png grey {bits} with a clear value": _keyed_png(GREY, bits) for bits in (8, 16)},
    **{f"png RGB {bits} with a clear colour": _keyed_png(RGB, bits) for bits in (8, 16)},
    **{f"tiff {channels}x{bits}": _tiff(channels, bits) for channels in (1, 3, 4) for bits in (8, 16)},
    **{f"tiff {channels}x16 of a Mac": _tiff(channels, 16, big_endian=True) for channels in (1, 3, 4)},
    "webp": _by_pillow("WEBP", "RGB", quality=80),
    "webp lossless": _by_pillow("WEBP", "RGB", lossless=True),
    "webp with alpha": _by_pillow("WEBP", "RGBA", quality=80),
    "webp with alpha lossless": _by_pillow("WEBP", "RGBA", lossless=True, exact=True),
    "bmp": _by_pillow("BMP", "RGB"),
    "bmp grey": _by_pillow("BMP", "L"),
    "bmp bits": _by_pillow("BMP", "1"),
    "jpeg": _by_pillow("JPEG", "RGB", quality=90),
    "jpeg grey": _by_pillow("JPEG", "L"),
    "jpeg progressive": _by_pillow("JPEG", "RGB", progressive=True),
    "jpeg CMYK": _by_pillow("JPEG", "CMYK"),
    "tiff CMYK": _by_pillow("TIFF", "CMYK"),
    "tiff LZW": _by_pillow("TIFF", "RGB", compression="tiff_lzw"),
    "avif": _by_pillow("AVIF", "RGB", speed=10),
    "avif with alpha": _by_pillow("AVIF", "RGBA", speed=10),
}
#: Those in which something can be transparent.
CLEAR = [name for name in FORMS if any(word in name for word in ("alpha", "RGBA", "transparent", "clear", "4x"))]
