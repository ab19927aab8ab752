"""What a benchmark needs of the fleet that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from inpaint_core.images import FORMATS
from inpaint_core.storage import ObjectRef, input_ref

#: Shows that work is going on: given what is done and how much there is, a context whose value counts further.
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def address(bucket: str, image: tuple[str, str]) -> ObjectRef:
    """Where an image lies that is named after its content. `image`: its sha256, and its format as Pillow calls it."""
    sha256, kind = image
    return input_ref(bucket, sha256, FORMATS[kind][0])
