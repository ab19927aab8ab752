"""What the model is shown: in few shapes, with all the detail that it can paint, and inside the picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_core.edit import Box, Detail, EditOptions, Fit
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.geometry.fit import Window, plan_windows
from inpaint_worker.geometry.region import cut, make_region
from inpaint_worker.geometry.view import shown, shown_mask, taken_back

Array = npt.NDArray[Any]
ANY = SizeRule()
SD = SizeRule(multiple_of=8, native_area=512**2)
FLUX = SizeRule(multiple_of=16, native_area=1024**2, max_area=1408**2)
SDXL = SizeRule(multiple_of=64, native_area=768**2)
TINY = SizeRule(multiple_of=8, native_area=64**2)
RULES = [SD, FLUX, SDXL, TINY, SizeRule(multiple_of=32, native_area=1024**2, max_side=1280, max_aspect=4)]


def plan(size: tuple[int, int], *boxes: tuple[int, int, int, int], rule: SizeRule, **edit: Any) -> tuple[Window, ...]:
    """The windows of a picture of `size` with these boxes as its mask."""
    mask = np.zeros(size[::-1], np.uint8)
    for box in boxes:
        mask[cut(Box(*box))] = 255
    options = EditOptions(**edit)
    return plan_windows(make_region(mask, options), rule, options)


def one(size: tuple[int, int], *boxes: tuple[int, int, int, int], rule: SizeRule, **edit: Any) -> Window:
    """The same, of which there is one."""
    (window,) = plan(size, *boxes, rule=rule, **edit)
    return window


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("detail", Detail)
def test_every_shape_keeps_the_rule(rule: SizeRule, detail: Detail) -> None:
    areas = [rule.native_area or 0] + [rule.max_area] * (detail is Detail.FULL and rule.max_area is not None)
    found = shapes(rule, detail)
    assert len(found) == len(set(found)) <= 40 * len(areas)
    for width, height in found:
        assert width % rule.multiple_of == height % rule.multiple_of == 0
        assert width * height <= max(areas)
        assert max(width, height) <= min(rule.max_side or math.inf, rule.max_aspect * min(width, height))
        assert (height, width) in found
    for area in areas:
        side = math.isqrt(area) // rule.multiple_of * rule.multiple_of
        assert (side, side) in found


@given(
    unit=st.sampled_from([1, 2, 8, 16, 32, 64, 512]),
    side=st.integers(1, 2048),
    more=st.none() | st.floats(1, 4),
    most=st.none() | st.integers(1, 5000),
    aspect=st.floats(1, 8),
    detail=st.sampled_from(Detail),
)
@settings(max_examples=200, deadline=None)
def test_every_rule_has_a_shape(
    unit: int, side: int, more: float | None, most: int | None, aspect: float, detail: Detail
) -> None:
    native = max(side, unit) ** 2
    rule = SizeRule(
        multiple_of=unit,
        native_area=native,
        max_area=None if more is None else int(native * more),
        max_side=None if most is None else max(most, math.isqrt(native) + 1),
        max_aspect=aspect,
    )
    found = shapes(rule, detail)
    assert found
    for width, height in found:
        assert width > 0 and width % unit == height % unit == 0
        assert width * height <= max(native, rule.max_area or 0)
        assert max(width, height) <= min(rule.max_side or math.inf, aspect * min(width, height))


@pytest.mark.parametrize("rule", [SD, FLUX, SDXL])
def test_two_thousand_photos_are_shown_in_no_more_shapes_than_there_are(rule: SizeRule) -> None:
    rng = np.random.default_rng(0)
    seen: set[tuple[int, int]] = set()
    for _ in range(2_000):
        width, height = (int(side) for side in rng.integers(20, 700, 2))
        left, top = int(rng.integers(0, width - 10)), int(rng.integers(0, height - 10))
        box = (left, top, left + int(rng.integers(1, 300)), top + int(rng.integers(1, 300)))
        box = (left, top, min(box[2], width), min(box[3], height - 1))
        seen |= {window.size for window in plan((width, height), box, rule=rule)}
    assert seen <= set(shapes(rule, Detail.NATIVE))
    assert len(seen) <= 33


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [SD, FLUX, SDXL])
@pytest.mark.parametrize("place", [(0, 0), (1900, 1400), (3880, 2880), (3880, 0), (0, 2880)])
def test_a_small_edit_of_a_photo_of_12_megapixels_is_painted_in_full_detail(
    rule: SizeRule, place: tuple[int, int]
) -> None:
    left, top = place
    window = one((4000, 3000), (left, top, left + 120, top + 120), rule=rule)
    assert 1 <= window.scale <= 2.05
    assert window.content == window.size
    assert Box(0, 0, 4000, 3000) & window.box == window.box
    assert window.target == (left, top, left + 120, top + 120)


@pytest.mark.parametrize("rule", [SD, FLUX, SDXL])
def test_a_large_edit_is_painted_as_finely_as_the_native_area_allows(rule: SizeRule) -> None:
    window = one((4000, 3000), (500, 500, 3500, 2500), rule=rule)
    assert window.scale < 1
    assert window.size[0] * window.size[1] <= (rule.native_area or 0)
    assert window.content[0] * window.content[1] > 0.9 * window.size[0] * window.size[1]


def test_an_edit_in_the_middle_has_its_context_on_all_sides() -> None:
    window = one((4000, 3000), (2000, 1500, 2100, 1600), rule=FLUX)
    assert all(
        abs(margin - (window.box.width - 100) / 2) <= 1 for margin in (2000 - window.box.left, window.box.right - 2100)
    )
    assert min(1500 - window.box.top, window.box.bottom - 1600) >= 32


def test_at_the_border_the_window_is_shifted_inside_and_not_made_smaller() -> None:
    middle = one((4000, 3000), (2000, 1500, 2100, 1600), rule=FLUX)
    corner = one((4000, 3000), (3900, 2900, 4000, 3000), rule=FLUX)
    assert (corner.box.right, corner.box.bottom) == (4000, 3000)
    assert (corner.box.width, corner.box.height) == (middle.box.width, middle.box.height)


@pytest.mark.parametrize("rule", [ANY, SD, FLUX, SDXL, TINY])
def test_the_whole_picture_is_shown_if_that_is_wanted(rule: SizeRule) -> None:
    window = one((1200, 900), (10, 10, 30, 30), (900, 800, 950, 850), rule=rule, fit=Fit.WHOLE)
    assert window.box == (0, 0, 1200, 900)
    assert window.target == (10, 10, 950, 850)


@pytest.mark.parametrize("padding", [8, 50, 400])
def test_padding_is_the_least_context(padding: int) -> None:
    window = one((4000, 3000), (1800, 1400, 2200, 1600), rule=SD, padding=padding)
    assert window.box | Box(1800 - padding, 1400 - padding, 2200 + padding, 1600 + padding) == window.box


def test_a_model_of_any_size_is_shown_the_edit_with_exactly_its_padding() -> None:
    window = one((4000, 3000), (1800, 1400, 2200, 1600), rule=ANY, padding=25)
    assert window.box == (1775, 1375, 2225, 1625)
    assert window.size == window.content == (450, 250)
    assert one((4000, 3000), (0, 0, 10, 10), rule=ANY, padding=25).box == (0, 0, 35, 35)


def test_more_padding_is_paid_with_detail() -> None:
    scales = [one((4000, 3000), (1800, 1400, 2200, 1600), rule=SD, padding=p).scale for p in (10, 100, 500, 2000)]
    assert scales == sorted(scales, reverse=True) and scales[-1] < scales[0] / 3


def test_full_detail_paints_a_large_edit_larger_and_a_small_one_as_before() -> None:
    large, small = (500, 500, 3500, 2500), (500, 500, 600, 600)
    native, full = (one((4000, 3000), large, rule=FLUX, detail=detail) for detail in Detail)
    assert native.size[0] * native.size[1] <= 1024**2 < full.size[0] * full.size[1] <= 1408**2
    assert full.scale > 1.25 * native.scale
    native, full = (one((4000, 3000), small, rule=FLUX, detail=detail) for detail in Detail)
    assert native == full


def test_a_model_without_a_largest_area_has_no_fuller_detail() -> None:
    native, full = (one((4000, 3000), (500, 500, 3500, 2500), rule=SD, detail=detail) for detail in Detail)
    assert native == full


@pytest.mark.parametrize("size", [(1, 2), (3, 2), (40, 30), (100, 300), (17, 200)])
@pytest.mark.parametrize("rule", [SD, FLUX, SDXL])
def test_a_small_picture_is_shown_whole_and_enlarged(size: tuple[int, int], rule: SizeRule) -> None:
    window = one(size, (0, 0, 1, 1), rule=rule, fit=Fit.WHOLE)
    assert window.box == (0, 0, *size)
    assert window.scale >= 1
    assert window.content[0] == window.size[0] or window.content[1] == window.size[1]


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000), (2, 3999), (3999, 7)])
@pytest.mark.parametrize("rule", [ANY, SD, FLUX, SDXL, TINY])
@pytest.mark.parametrize("fit", Fit)
def test_strips_are_shown_and_come_back_in_their_size(size: tuple[int, int], rule: SizeRule, fit: Fit) -> None:
    picture = np.full((*size[::-1], 3), 77, np.uint8)
    for window in plan(size, (0, 0, 1, 1), (size[0] - 1, size[1] - 1, *size), rule=rule, fit=fit):
        seen = shown(picture[cut(window.box)], window)
        assert seen.shape == (window.size[1], window.size[0], 3) and (seen == 77).all()
        back = taken_back(seen, window)
        assert back.shape == (window.box.height, window.box.width, 3) and (back == 77).all()


@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    seed=st.integers(0, 2**32 - 1),
    rule=st.sampled_from([SD, TINY, SDXL]),
    fit=st.sampled_from(Fit),
)
@settings(max_examples=120, deadline=None)
def test_what_is_marked_is_marked_in_what_is_shown_however_small_it_becomes(
    size: tuple[int, int], seed: int, rule: SizeRule, fit: Fit
) -> None:
    rng = np.random.default_rng(seed)
    marked = rng.random(size[::-1]) < 0.01
    marked[rng.integers(0, size[1]), rng.integers(0, size[0])] = True
    marked[0, 0] &= marked.size > 1 and not marked.all()
    if not marked.any():
        return
    edit = EditOptions(fit=fit)
    for window in plan_windows(make_region(marked.astype(np.uint8), edit), rule, edit):
        mask = shown_mask(marked[cut(window.box)], window)
        width, height = window.content
        for y, x in np.argwhere(marked[cut(window.box)]):
            # Whole numbers: which pixels of what is shown lie over this one.
            rows = slice(y * height // window.box.height, -(-(y + 1) * height // window.box.height))
            columns = slice(x * width // window.box.width, -(-(x + 1) * width // window.box.width))
            assert mask[rows, columns].any()


def test_beside_the_picture_its_edge_is_repeated_and_so_is_the_mask_there() -> None:
    picture = np.arange(200, dtype=np.uint8).reshape(1, 200, 1).repeat(300, axis=0).repeat(3, axis=2)
    window = one((200, 300), (150, 100, 200, 200), rule=SDXL, fit=Fit.WHOLE)
    seen = shown(picture, window)
    width = window.content[0]
    assert width < window.size[0]
    assert (seen[:, width:] == seen[:, width - 1 : width]).all()
    marked = np.zeros((300, 200), bool)
    marked[100:200, 150:] = True
    mask = shown_mask(marked, window)
    assert (mask[:, width:] == mask[:, width - 1 : width]).all() and mask[:, -1].any()
