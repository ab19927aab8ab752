"""The pictures that one result is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from inpaint_worker.arrays import Pixels, Region


class Raw(NamedTuple):
    """One window as the model saw it, in the model's size; all three H x W. What only pads the window is not in it."""

    #: What the model was shown, H x W x 3.
    given: Pixels
    #: What it returned, before anything was put back, H x W x 3.
    raw: Pixels
    #: The mask that it was shown; True: to be painted.
    mask: Region


@dataclass(frozen=True, slots=True)
class OutputPictures:
    """A result and all it is compared with. Pictures are H x W x 3, uint8, sRGB; masks H x W, bool; of one size.

    `ValueError` for any other shape or type.
    """

    source: Pixels
    #: The picture that was handed to the user.
    delivered: Pixels
    #: The edit region; True: may change.
    region: Region
    #: Exactly the object that was to be removed or made.
    object_mask: Region | None = None
    #: The object with all that it does to the picture: shadow, reflection.
    effect_mask: Region | None = None
    #: What a perfect result would be.
    truth: Pixels | None = None
    #: The windows of the job; empty if they were not kept.
    raws: Sequence[Raw | tuple[Pixels, Pixels, Region]] = ()
    prompt: str | None = None
    #: Whether something was left out of it for speed: its tier is not exact.
    lossy: bool = False
    #: If so, the same in the tier exact; None: there is none yet.
    exact: Pixels | None = None

    def __post_init__(self) -> None:
        size = check_picture("source", self.source)
        check_picture("delivered", self.delivered, size)
        check_mask("region", self.region, size)
        for name, mask in (("object_mask", self.object_mask), ("effect_mask", self.effect_mask)):
            if mask is not None:
                check_mask(name, mask, size)
        for name, picture in (("truth", self.truth), ("exact", self.exact)):
            if picture is not None:
                check_picture(name, picture, size)
        for i, (given, raw, mask) in enumerate(self.raws):
            window = check_picture(f"raws[{i}].given", given)
            check_picture(f"raws[{i}].raw", raw, window)
            check_mask(f"raws[{i}].mask", mask, window)


def check_picture(name: str, picture: Pixels, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Height and width of a picture; `ValueError` unless it is H x W x 3, uint8, not empty and of the size wanted."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"{name} is to be H x W x 3, uint8; it is {picture.shape}, {picture.dtype}")
    if size is not None and picture.shape[:2] != size:
        raise ValueError(f"{name} is {picture.shape[1]} x {picture.shape[0]}, and not {size[1]} x {size[0]}")
    height, width, _ = picture.shape
    return height, width


def check_mask(name: str, mask: Region, size: tuple[int, int]) -> None:
    """`ValueError` unless the mask is H x W, bool, and of this height and width."""
    if mask.dtype != np.bool_:
        raise ValueError(f"{name} is to be bool; it is {mask.dtype}")
    if mask.shape != size:
        raise ValueError(f"{name} has the shape {mask.shape}, and not {size}")
