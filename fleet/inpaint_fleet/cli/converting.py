"""Outputs in the format that a file name asks for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_core.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

#: What may be asked for by a file's ending, with how it is written. 95 shows no difference at a glance.
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
    "JPEG": {"quality": 95},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 95},
}
_EIGHT_BITS = " and has 8 bits a channel"
_KEEP_EVERY_PIXEL = ("PNG", "TIFF", "BMP")
#: Endings of files that results can be written as.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")


def convert(data: bytes, name: str) -> tuple[bytes, str | None]:
    """The picture as the ending of `name` asks for it, and what is lost by that, if anything is.

    What is stored so already, or has no ending that is known, stays as it is, byte for byte.
    """
    from PIL import Image

    Image.init()
    wanted = Image.registered_extensions().get(Path(name).suffix.lower(), "")
    with Image.open(io.BytesIO(data)) as stored:
        if wanted not in _OPTIONS or wanted == stored.format:
            return data, None
        picture, lost = _fitted(stored, wanted)
        buffer = io.BytesIO()
        try:
            picture.save(buffer, wanted, icc_profile=stored.info.get("icc_profile"), **_OPTIONS[wanted])
        except (OSError, ValueError) as error:
            raise InvalidRequest(
                f"{name}: {wanted} cannot hold this picture of {picture.width}x{picture.height} pixels ({error}). The "
                "job is done; fetch its output as .png with `inpaint jobs download`.",
                path=name,
            ) from None
        return buffer.getvalue(), _sentence(name, wanted, str(stored.format), lost)


def _fitted(image: Image, wanted: str) -> tuple[Image, str]:
    """The image in a mode that the format takes, and what that loses."""
    from inpaint_core.masks import grey, has_transparency
    from PIL import Image

    if image.mode.startswith("I") and wanted not in ("PNG", "TIFF"):
        return grey(image), _EIGHT_BITS
    if wanted in ("JPEG", "BMP") and has_transparency(image):
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"), " and has white for transparency"
    if image.mode == "P":
        return image.convert("RGBA" if has_transparency(image) else "RGB"), ""
    # What a PNG holds with 16 bits in colour, Pillow reads with 8.
    deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())) and not image.mode.startswith("I")
    return image.copy(), _EIGHT_BITS if deep else ""


def _sentence(name: str, wanted: str, stored: str, lost: str) -> str | None:
    if wanted in _KEEP_EVERY_PIXEL and not lost and stored in _KEEP_EVERY_PIXEL:
        return None
    if wanted in _KEEP_EVERY_PIXEL and not lost:
        return f"{name} was written as {wanted}, of what is stored as {stored} and not exact"
    if stored in _KEEP_EVERY_PIXEL:
        exact = "" if wanted in _KEEP_EVERY_PIXEL else ", which is not exact"
        return f"{name} was written as {wanted}{exact}{lost}; name it .{stored.lower()} to keep every pixel"
    return f"{name} was written as {wanted} from {stored}{lost}; name it .{stored.lower()} for the bytes as stored"
