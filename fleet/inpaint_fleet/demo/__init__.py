"""A room with a cable on its wall and stickers on its furniture: the picture that `inpaint demo` edits."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


def source() -> Traversable:
    """The picture to edit."""
    return resources.files(__name__) / "room.jpg"


def mask() -> Traversable:
    """White where it is repainted."""
    return resources.files(__name__) / "room-mask.png"
