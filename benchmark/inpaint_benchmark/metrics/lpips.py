"""LPIPS: how far apart two pictures are to a network that was fitted to people's judgement."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from inpaint_core.edit import Box
from inpaint_worker.arrays import Pixels
from inpaint_worker.geometry.region import cut

from inpaint_benchmark.metrics.metric import Reason
from inpaint_benchmark.metrics.packages import installed

#: Pixels; AlexNet has nothing left of smaller pictures.
SMALLEST = 64
#: Longest side of a tile, pixels: the features of 12 megapixels would take gigabytes.
_TILE = 1024


def lpips_missing() -> Reason | None:
    """What is not on this machine; None: nothing."""
    # In this order: torch takes seconds to import, which mostly would be for nothing.
    if any(installed(name) is None for name in ("torchmetrics.image.lpip", "torchvision.models", "torch")):
        return Reason.PACKAGE_MISSING
    torch, models = installed("torch"), installed("torchvision.models")
    file = models.AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    # torchvision fetches what is not in this folder.
    is_there = (Path(torch.hub.get_dir()) / "checkpoints" / file).is_file()
    return None if is_there else Reason.WEIGHTS_UNAVAILABLE


def lpips(a: Pixels, b: Pixels) -> float:
    """LPIPS with AlexNet, version 0.1; 0: alike. Both H x W x 3, uint8, at least 64 x 64.

    R. Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018. Pictures over
    1024 pixels a side are measured in equal tiles, whose values are averaged by their areas.
    """
    torch: Any = installed("torch")
    network, total = _network(), 0.0
    for tile in tiles(a.shape[1], a.shape[0]):
        with torch.inference_mode():
            shown = [
                torch.from_numpy(picture[cut(tile)].astype(np.float32) / np.float32(255)).permute(2, 0, 1)[None]
                for picture in (a, b)
            ]
            total += float(network(*shown)) * tile.area
    return float(total / (a.shape[0] * a.shape[1]))


def tiles(width: int, height: int) -> list[Box]:
    """A picture in tiles of at most 1024 pixels a side, as equal as can be."""
    columns, rows = (_cuts(side) for side in (width, height))
    return [Box(left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]


def _cuts(side: int) -> list[int]:
    count = -(-side // _TILE)
    return [side * i // count for i in range(count + 1)]


@cache
def _network() -> Any:
    return installed("torchmetrics.image.lpip").LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
