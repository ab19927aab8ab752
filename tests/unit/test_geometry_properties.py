"""Whatever is sent and whatever a model returns: nothing outside the edit region changes, and all of it is painted."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from factories import encode
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from inpaint_core.edit import Box, Detail, EditOptions, Fit, MaskShapes, Polarity
from inpaint_core.errors import FullMask, ImageError
from inpaint_core.images import Limits
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.geometry.canvas import Canvas, MaskInput, open_canvas
from inpaint_worker.geometry.region import cut
from pictures import CLEAR, FORMS, Picture, make_picture
from PIL import Image
from pngs import read_png

Array = npt.NDArray[Any]
LIMITS = Limits(max_bytes=64 << 20, max_pixels=4_000_000, max_side=4_000)
ANY_SIZE = SizeRule()
TINY = SizeRule(multiple_of=8, native_area=64**2)
RULES = {
    "any": ANY_SIZE,
    "tiny": TINY,
    "512": SizeRule(multiple_of=8, native_area=512**2),
    "768": SizeRule(multiple_of=64, native_area=768**2),
    "1024": SizeRule(multiple_of=16, native_area=1024**2, max_area=1408**2),
}
#: What is at hand most often is what takes least time.
_rules = st.sampled_from(["any", "any", "tiny", "tiny", "tiny", "tiny", "512", "768", "1024"]).map(RULES.__getitem__)
_small = st.tuples(st.integers(1, 90), st.integers(1, 90))
_strips = st.tuples(st.integers(1, 4000), st.integers(1, 3)).flatmap(lambda size: st.sampled_from([size, size[::-1]]))
_large = st.tuples(st.integers(91, 500), st.integers(91, 500))
_sizes = st.one_of(_small, _small, _strips, _large).filter(lambda size: size != (1, 1))
_seeds = st.integers(0, 2**32 - 1)


def _edit(fit: Fit, padding: int | None, **options: Any) -> EditOptions:
    return EditOptions(fit=fit, padding=padding if fit is Fit.CROP else None, **options)


_edits = st.builds(
    _edit,
    grow=st.sampled_from([0, 0, 1, 2.5, 9]),
    feather=st.sampled_from([0, 0, 1, 4.5, 30]),
    fill_holes=st.booleans(),
    fit=st.sampled_from(Fit),
    padding=st.sampled_from([None, None, 0, 7, 300]),
    detail=st.sampled_from(Detail),
    polarity=st.sampled_from(Polarity),
    keep_raw=st.booleans(),
)
_often = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def masks(draw: st.DrawFn, size: tuple[int, int]) -> Array:
    """H x W, 0 or 255: boxes, polygons, noise or single pixels; never nothing and never everything."""
    width, height = size
    rng = np.random.default_rng(draw(_seeds))
    mask = np.zeros((height, width), np.uint8)
    kind = draw(st.sampled_from(["boxes", "polygon", "noise", "pixels"]))
    if kind == "noise":
        mask[rng.random(mask.shape) < draw(st.sampled_from([0.01, 0.3, 0.97]))] = 255
    elif kind == "pixels":
        mask[rng.integers(0, height, 3), rng.integers(0, width, 3)] = 255
    elif kind == "polygon":
        corners = rng.integers(-5, (width + 5, height + 5), (5, 2))
        cv2.fillPoly(mask, [corners.astype(np.int32)], 255)
    else:
        for _ in range(draw(st.integers(1, 3))):
            left, top = int(rng.integers(0, width)), int(rng.integers(0, height))
            mask[top : top + int(rng.integers(1, height + 1)), left : left + int(rng.integers(1, width + 1))] = 255
    if mask.all():
        mask[0, 0] = 0
    if not mask.any():
        mask[-1, -1] = 255
    return mask


def in_polarity(mask: Array, polarity: Polarity) -> bytes:
    """The mask as a file in which that polarity marks."""
    if polarity is Polarity.BLACK:
        return encode(Image.fromarray(255 - mask))
    if polarity is Polarity.TRANSPARENT:
        return encode(Image.merge("LA", (Image.fromarray(mask // 3), Image.fromarray(255 - mask))))
    return encode(Image.fromarray(mask))


def paint(canvas: Canvas, rule: SizeRule, seed: int) -> None:
    """Let a model that returns noise everywhere paint each window, and watch what it is shown and what is taken."""
    rng = np.random.default_rng(seed)
    height, width = canvas.region.marked.shape
    covered = np.zeros((height, width), bool)
    for number, window in enumerate(canvas.windows):
        assert window.box & Box(0, 0, width, height) == window.box
        assert window.target & window.box == window.target
        picture, marked = canvas.show(number)
        assert picture.dtype == np.uint8 and picture.shape == (window.size[1], window.size[0], 3)
        assert marked.dtype == bool and marked.shape == picture.shape[:2]
        check_shape(window.size, rule, canvas.edit.detail)
        noise = rng.integers(0, 256, picture.shape, np.uint8)
        due = canvas.pending[cut(window.target)].copy()
        assert marked.any() or not due.any()
        canvas.take(number, noise)
        if window.content == (window.box.width, window.box.height) and canvas.region.weights is None:
            inner = window.target.moved(-window.box.left, -window.box.top)
            wanted = noise[cut(inner)].astype(canvas.picture.dtype) * (257 if canvas.source.bits == 16 else 1)
            assert np.array_equal(canvas.picture[cut(window.target)][due], wanted[due])
        covered[cut(window.target)] = True
    assert covered[canvas.region.marked].all()
    assert not canvas.pending.any()


def check_shape(size: tuple[int, int], rule: SizeRule, detail: Detail) -> None:
    """The size is one of the few that the rule allows."""
    if rule.native_area is None:
        return
    most = max(rule.native_area, rule.max_area or 0) if detail is Detail.FULL else rule.native_area
    assert size in shapes(rule, detail)
    assert size[0] % rule.multiple_of == size[1] % rule.multiple_of == 0
    assert size[0] * size[1] <= most
    assert max(size) <= rule.max_aspect * min(size)


def decoded(data: bytes, deep: bool) -> tuple[Array, Array | None]:
    """The output by a decoder of our own, which must agree with the one that most people have."""
    pixels, alpha, _ = read_png(data)
    if deep:
        planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        usual = planes[..., [2, 1, 0, 3][: planes.shape[2]]]
    else:
        with Image.open(io.BytesIO(data)) as image:
            usual = np.asarray(image)
    assert np.array_equal(usual, pixels if alpha is None else np.dstack([pixels, alpha]))
    return pixels, alpha


def opened(picture: Picture, mask: MaskInput, edit: EditOptions, rule: SizeRule) -> Canvas:
    """The canvas, unless growing or filling left nothing to preserve."""
    try:
        return open_canvas(picture.data, mask, edit, rule, LIMITS)
    except FullMask:
        assume(edit.grow == 0 and not edit.fill_holes)
        raise


@given(form=st.sampled_from(sorted(FORMS)), size=_sizes, edit=_edits, rule=_rules, seed=_seeds, data=st.data())
@_often
def test_outside_the_region_the_output_equals_the_source_bit_for_bit(
    form: str, size: tuple[int, int], edit: EditOptions, rule: SizeRule, seed: int, data: st.DataObject
) -> None:
    event(form)
    picture, mask = make_picture(form, *size, seed), data.draw(masks(size))
    canvas = opened(picture, in_polarity(mask, edit.polarity), edit, rule)
    region = canvas.region.marked
    assert region[mask > 0].all()
    if not edit.grow and not edit.fill_holes:
        assert np.array_equal(region, mask > 0)
    paint(canvas, rule, seed)
    result = canvas.result()
    assert result.exact and result.outside_changed_pixels == 0
    pixels, alpha = decoded(result.encoded.data, picture.pixels.dtype == np.uint16)
    assert pixels.dtype == picture.pixels.dtype and pixels.shape == picture.pixels.shape
    assert np.array_equal(pixels[~region], picture.pixels[~region])
    assert (alpha is None) == (picture.alpha is None)
    if alpha is not None:
        assert np.array_equal(alpha, picture.alpha)


# A 16-bit picture with one clear colour is left out: its values, not its colours, would have to be told apart.
_holed = [form for form in CLEAR if not ("clear" in form and "16" in form)]


@given(form=st.sampled_from(_holed), size=_small, edit=_edits, rule=_rules, seed=_seeds)
@settings(_often, max_examples=250)
def test_where_transparency_is_the_mask_the_inside_becomes_opaque_and_the_outside_keeps_its_own(
    form: str, size: tuple[int, int], edit: EditOptions, rule: SizeRule, seed: int
) -> None:
    picture = make_picture(form, *size, seed)
    assume(picture.alpha is not None)  # a WebP that is opaque by chance is stored without
    clearness = 255 - (np.rint(picture.alpha / 257) if picture.alpha.dtype == np.uint16 else picture.alpha)
    mask = clearness >= edit.threshold
    assume(mask.any() and not mask.all())
    canvas = opened(picture, None, edit, rule)
    region = canvas.region.marked
    assert region[mask].all()
    paint(canvas, rule, seed)
    pixels, alpha = decoded(canvas.result().encoded.data, picture.pixels.dtype == np.uint16)
    assert alpha is not None
    assert np.array_equal(pixels[~region], picture.pixels[~region])
    assert np.array_equal(alpha[~region], picture.alpha[~region])
    assert (alpha[region] >= picture.alpha[region]).all()
    if not edit.feather:
        assert (alpha[region] == np.iinfo(alpha.dtype).max).all()


@given(size=_sizes, edit=_edits, seed=_seeds, data=st.data())
@settings(_often, max_examples=80)
def test_boxes_are_a_mask_like_any_other(
    size: tuple[int, int], edit: EditOptions, seed: int, data: st.DataObject
) -> None:
    width, height = size
    left, top = data.draw(st.integers(-9, width - 1)), data.draw(st.integers(-9, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width + 9)), data.draw(st.integers(top + 1, height + 9))
    mask = np.zeros((height, width), bool)
    mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    assume(mask.any() and not mask.all())
    picture = make_picture("png RGBA 16", width, height, seed)
    canvas = opened(picture, MaskShapes(boxes=((left, top, right, bottom),)), edit, TINY)
    paint(canvas, TINY, seed)
    pixels, alpha = decoded(canvas.result().encoded.data, deep=True)
    assert canvas.region.marked[mask].all()
    assert np.array_equal(pixels[~canvas.region.marked], picture.pixels[~canvas.region.marked])
    assert np.array_equal(alpha, picture.alpha)


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000), (2, 3999), (4000, 900)])
@pytest.mark.parametrize("form", ["png RGBA 16", "jpeg", "tiff 3x16"])
def test_the_longest_pictures_are_preserved_too(form: str, size: tuple[int, int]) -> None:
    picture, mask = make_picture(form, *size), np.zeros(size[::-1], np.uint8)
    mask[size[1] // 2 :, size[0] // 3 : size[0] * 2 // 3 + 1] = 255
    canvas = open_canvas(picture.data, encode(Image.fromarray(mask)), EditOptions(), RULES["512"], LIMITS)
    paint(canvas, RULES["512"], 0)
    pixels, alpha, _ = read_png(canvas.result().encoded.data)
    assert np.array_equal(pixels[mask == 0], picture.pixels[mask == 0])
    assert alpha is None or np.array_equal(alpha, picture.alpha)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_of_one_pixel_cannot_be_edited_and_says_so(form: str, value: int) -> None:
    mask = encode(Image.new("L", (1, 1), value))
    with pytest.raises(ImageError, match="marks"):
        open_canvas(make_picture(form, 1, 1).data, mask, EditOptions(), TINY, LIMITS)
