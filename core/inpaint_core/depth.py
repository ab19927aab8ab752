"""How many bits a sample of a picture has: what modes of Pillow do not tell, and what it reads wrongly unsaid."""

from __future__ import annotations

from PIL import Image

#: Tags of TIFF.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR, _EXTRA_SAMPLES = 258, 262, 284, 338

#: Colour types of PNG: grey, and grey with transparency.
_PNG_GREY = (0, 4)


def is_deep(data: bytes, header: Image.Image) -> bool:
    """Whether a picture in grey or RGB has more than 8 bits a sample. Pillow's mode tells it of grey alone."""
    if header.mode.startswith("I;16"):
        return True
    if header.mode not in ("RGB", "RGBA"):
        return False
    if header.format == "PNG":
        return data[24] == 16  # of IHDR, which is always the first chunk
    return header.format == "TIFF" and max(_tiff_bits(header)) > 8


def _tiff_bits(image: Image.Image) -> tuple[int, ...]:
    return tuple(image.tag_v2.get(_BITS_PER_SAMPLE, (8,)))  # type: ignore[attr-defined]


def unusual_tiff(image: Image.Image) -> str | None:
    """What Pillow or OpenCV would read wrongly, without a word, in a TIFF with more than 8 bits a sample."""
    if image.format != "TIFF" or max(bits := _tiff_bits(image)) <= 8:
        return None
    tags = image.tag_v2  # type: ignore[attr-defined]
    if any(bit not in (16, 32) for bit in bits):
        return f"of {max(bits)} bits a sample"
    if len(bits) > 1 and tags.get(_PLANAR, 1) != 1:
        return f"of {max(bits)} bits with its colours in separate planes"
    if len(bits) > 1 and 1 in tags.get(_EXTRA_SAMPLES, ()):
        return f"of {max(bits)} bits with premultiplied transparency"
    if len(bits) == 1 and tags.get(_PHOTOMETRIC) == 0:
        return f"of {max(bits)} bits in which 0 is white"
    return None


def bits_of(header: Image.Image) -> int:
    """Bits a sample, as far as Pillow or a TIFF tell; 8 if they do not."""
    if header.format == "TIFF":
        return max(_tiff_bits(header))
    return int(header.info.get("bit_depth", 8))


def is_grey(data: bytes, header: Image.Image) -> bool:
    """Whether a picture is grey, with or without transparency. Pillow opens a PNG with 16 bits of both as RGBA."""
    if header.format == "PNG":
        return data[25] in _PNG_GREY
    return header.mode in ("1", "L", "LA") or header.mode.startswith("I;16")


def scale_clear_value(image: Image.Image, data: bytes) -> None:
    """Bring the value that a PNG calls transparent to the depth that Pillow reads its pixels with."""
    clear = image.info.get("transparency")
    if image.format != "PNG" or clear is None:
        return
    bits = data[24]
    if isinstance(clear, tuple) and bits == 16:
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    elif isinstance(clear, int) and image.mode == "L" and bits in (2, 4):
        image.info["transparency"] = clear * (255 // (2**bits - 1))
