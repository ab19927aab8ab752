"""What is said of a file that no reader could open: what it seems to be, and what to send instead."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import UnidentifiedImageError

from inpaint_core.errors import FormatRefused, UnreadableImage
from inpaint_core.heic import HEIC_BRANDS, register_heic

#: How files begin that are taken, and may be damaged.
_TAKEN = ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"))
#: How files begin that people send and that are not taken.
_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"gimp xcf", "a GIMP document"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
)


def refusal(data: bytes, formats: Sequence[str], what: str, error: Exception) -> UnreadableImage:
    """The error for bytes that raised `error` when they were opened. `formats` are those that are accepted."""
    accepted = f"Accepted: {', '.join(formats)}."
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS and not register_heic():
        return FormatRefused(
            f"The {what} is a HEIC, and this installation cannot read those. Install what reads them with "
            "pip install 'inpaint-fleet[heic]', or export it as JPEG or PNG.",
            what=what,
            found="heic",
        )
    if kind := _other(data):
        return FormatRefused(
            f"The {what} is {kind}, which is not an image that can be edited here. {accepted} Export it as one of "
            "them.",
            what=what,
            found=kind,
        )
    if known := _taken(data):
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({short(error)})"
        return UnreadableImage(
            f"The {what} begins as a {known} but cannot be opened{why}. It is damaged or of a kind that is not read; "
            "export it again, with 8 or 16 bits a sample.",
            what=what,
        )
    return UnreadableImage(
        f"The {what} is not an image that can be read (it begins with {data[:8]!r}). {accepted}", what=what
    )


def short(error: Exception) -> str:
    """What an error says, or its name, in at most 120 characters."""
    text = str(error) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _other(data: bytes) -> str | None:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and b"<svg" in head:
        return "an SVG"
    return next((name for start, name in _OTHERS if head.startswith(start.lower())), None)


def _taken(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in _TAKEN if data.startswith(start)), None)
