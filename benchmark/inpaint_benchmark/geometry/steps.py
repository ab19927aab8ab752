"""The steps of a job on the CPU, twice: as a worker does them, and as one writes them first, with Pillow alone.

Both do the same: read photo and mask, grow the mask by 4 pixels, feather it by 8, show the model a picture of about
one megapixel, put back what it returns, encode a PNG, decode it again and compare. The model returns what it is
shown, upside down.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from inpaint_core.edit import EditOptions
from inpaint_core.images import Limits
from inpaint_core.masks import open_mask
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas
from inpaint_worker.geometry.encode import encode_region, encode_result
from inpaint_worker.geometry.fit import plan_windows
from inpaint_worker.geometry.measure import measure_fitting
from inpaint_worker.geometry.region import make_region
from inpaint_worker.geometry.source import open_source
from inpaint_worker.geometry.verify import Wanted, verify_exact
from PIL import Image, ImageChops, ImageFilter

from inpaint_benchmark.geometry.scene import Scene

#: Names of the steps, in their order.
STEPS = ("decode", "prepare", "composite", "encode", "verify")
#: Yields the name of each step when it is done, and "model" before the time that does not count.
Steps = Callable[[Scene], Iterator[str]]

_GROW, _FEATHER, _NATIVE = 4, 8, 1024
_EDIT = EditOptions(grow=_GROW, feather=_FEATHER)
_RULE = SizeRule(multiple_of=8, native_area=_NATIVE**2)
_LIMITS = Limits(max_bytes=1 << 30, max_pixels=1 << 28, max_side=1 << 16)


def fleet(scene: Scene) -> Iterator[str]:
    """As a worker does it."""
    source = open_source(scene.source, _LIMITS)
    mask = np.asarray(open_mask(scene.mask, _LIMITS))
    yield "decode"
    region = make_region(mask, _EDIT)
    windows = plan_windows(region, _RULE, _EDIT)
    canvas = Canvas.blank(source, region, windows, _EDIT)
    shown, _ = canvas.show(0)
    yield "prepare"
    painted = np.ascontiguousarray(shown[::-1])
    yield "model"
    canvas.take(0, painted)
    yield "composite"
    encoded = encode_result(canvas.picture, None, source.profile, _EDIT)
    encode_region(region.marked)
    yield "encode"
    verify_exact(encoded, Wanted(source.pixels, canvas.picture, None, source.profile, region.marked))
    measure_fitting(source.pixels, canvas.picture, region)
    yield "verify"


def naive(scene: Scene) -> Iterator[str]:
    """As one writes it first: the whole picture through each step, with Pillow's defaults."""
    source = Image.open(io.BytesIO(scene.source)).convert("RGB")
    mask = Image.open(io.BytesIO(scene.mask)).convert("L")
    yield "decode"
    grown = mask.filter(ImageFilter.MaxFilter(2 * _GROW + 1))
    soft = ImageChops.multiply(grown, grown.filter(ImageFilter.GaussianBlur(_FEATHER)))
    scale = _NATIVE / (source.width * source.height) ** 0.5
    size = (round(source.width * scale / 8) * 8, round(source.height * scale / 8) * 8)
    shown = source.resize(size, Image.Resampling.LANCZOS)
    grown.resize(size, Image.Resampling.LANCZOS)
    yield "prepare"
    painted = shown.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    yield "model"
    result = Image.composite(painted.resize(source.size, Image.Resampling.LANCZOS), source, soft)
    yield "composite"
    buffer = io.BytesIO()
    result.save(buffer, "PNG")
    yield "encode"
    decoded = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    difference = ImageChops.difference(decoded, source).convert("L")
    outside = ImageChops.multiply(difference, ImageChops.invert(grown))
    if outside.getbbox() is not None:
        raise RuntimeError("pixels outside the mask have changed")
    yield "verify"


IMPLEMENTATIONS: dict[str, Steps] = {"fleet": fleet, "naive": naive}
