"""Pictures as arrays: the words that geometry and pipelines share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: H x W x 3, uint8, sRGB: what models see and return.
Pixels: TypeAlias = npt.NDArray[np.uint8]
#: H x W, bool; True is repainted.
Region: TypeAlias = npt.NDArray[np.bool_]
#: H x W or H x W x 3, uint8 or uint16: a picture in the depth and colours of its file.
Samples: TypeAlias = npt.NDArray[Any]
#: H x W, uint16: how much of the new content goes in, 0 (none) to 65535 (all).
Weights: TypeAlias = npt.NDArray[np.uint16]

FULL_WEIGHT = 65_535


def white(samples: Samples) -> int:
    """The largest value of the depth: 255 or 65535."""
    return int(np.iinfo(samples.dtype).max)
