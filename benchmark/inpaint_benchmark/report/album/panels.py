"""Small pictures with what is said of them, ready to be shown."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from inpaint_benchmark.report.elements import Markup

_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture as WebP, or why there is none. `title` stands with it, `alt` in its place."""

    title: str
    alt: str
    data: bytes | None
    #: Its size; of what is missing, that of the pictures beside it.
    width: int
    height: int

    @property
    def uri(self) -> Markup:
        """The picture as a data URI."""
        assert self.data is not None  # noqa: S101  (asked of pictures that are there)
        return Markup("data:image/webp;base64," + base64.b64encode(self.data).decode())

    def image(self) -> Image.Image | None:
        """The picture to draw with."""
        return None if self.data is None else Image.open(io.BytesIO(self.data)).convert("RGB")


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of one sample beside each other."""

    sample: str
    panels: Sequence[Panel]


def panel(title: str, alt: str, image: Image.Image, *, exact: bool = False) -> Panel:
    """A picture; `exact` where colours are values."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4, lossless=exact)
    return Panel(title, alt, buffer.getvalue(), *image.size)


def missing(title: str, why: str, size: tuple[int, int]) -> Panel:
    """A place where a picture would be."""
    return Panel(title, why, None, *size)
