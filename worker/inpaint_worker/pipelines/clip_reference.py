"""A reference image as CLIP's image encoders see it."""

from __future__ import annotations

from PIL import Image

from inpaint_worker.arrays import Pixels


def for_clip(reference: Pixels, side: int) -> Image.Image:
    """`reference`, H x W x 3, for an encoder of `side` x `side` pixels; as a square, if it is none.

    CLIP's processors cut a square from the middle: of a wide sofa, the arms would be lost. The authors of IP-Adapter
    advise to change its shape instead (https://github.com/tencent-ailab/IP-Adapter, "IP-Adapter for non-square
    images").
    """
    image = Image.fromarray(reference)
    if image.width == image.height:
        return image
    return image.resize((side, side), Image.Resampling.LANCZOS)
