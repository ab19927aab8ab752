"""How masks, options and geometry read in `jobs get` and `models show`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from inpaint_core.size import SizeRule
from inpaint_db.queries import JobView
from inpaint_fleet.cli import edit_wording


def view(**values: Any) -> JobView:
    return JobView(**{field.name: None for field in fields(JobView)} | {"mask_kind": "object", "edit": {}} | values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mask_uri": "s3://inpaint/in/m.png"}, "s3://inpaint/in/m.png"),
        ({"mask_kind": "alpha"}, "alpha"),
        ({"mask_kind": "shapes", "mask_shapes": {"boxes": [[0, 0, 1, 1]] * 2, "polygons": [[]]}}, "2 boxes, 1 polygon"),
        ({"mask_kind": "shapes", "mask_shapes": {"boxes": [[0, 0, 1, 1]], "polygons": []}}, "1 box"),
        ({}, None),
    ],
)
def test_the_mask_is_told_in_its_form(values: dict[str, Any], words: str | None) -> None:
    assert edit_wording.mask(view(**values)) == words


def test_options_are_told_as_they_differ() -> None:
    assert edit_wording.edit(view(edit={"grow": 8.0, "fill_holes": True, "format": "webp"})) == (
        "fill_holes=yes, grow=8, format=webp"
    )
    assert edit_wording.edit(view()) is None


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.25, "25.0% of the picture"), (0.00001, "0.0010% of the picture"), (None, None)],
)
def test_the_region_is_told_as_a_share(share: float | None, words: str | None) -> None:
    assert edit_wording.region(view(region_share=share)) == words


def test_windows_are_told_with_their_place_and_the_size_they_were_painted_at() -> None:
    windows = [
        {"box": [200, 100, 1224, 868], "size": [1152, 896]},
        {"box": [0, 0, 64, 64], "size": [64, 64]},
    ]
    assert edit_wording.windows(view(windows=windows)) == (
        "1024x768 at (200, 100), painted at 1152x896; 64x64 at (0, 0)"
    )
    assert edit_wording.windows(view()) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"exact": True, "outside_changed_pixels": 0}, "exact: 0 pixels changed outside the edit region"),
        ({"exact": False, "outside_changed_pixels": 1200, "output_format": "JPEG"},
         "not exact (JPEG): 1,200 pixels differ outside the edit region"),
        ({"exact": False, "output_format": "WEBP"}, "not exact (WEBP)"),
        ({}, None),
    ],
)  # fmt: skip
def test_exactness_is_told_in_pixels(values: dict[str, Any], words: str | None) -> None:
    assert edit_wording.exactness(view(**values)) == words


def test_what_reading_changed_is_told_before_and_after() -> None:
    changes = {"mode": {"before": "CMYK", "after": "RGB"}, "orientation": {"before": 6, "after": 1}}
    assert edit_wording.normalised(view(normalised=changes)) == "mode CMYK to RGB, orientation 6 to 1"
    assert edit_wording.normalised(view()) is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (SizeRule(), "any; paints at the scale of the source"),
        (
            SizeRule(multiple_of=8, native_area=512 * 512),
            "paints best at 0.26 megapixels (512x512), sides at most 2 to 1, both multiples of 8",
        ),
        (
            SizeRule(multiple_of=16, native_area=1 << 20, max_area=1 << 21, max_side=2048, max_aspect=2.5),
            "paints best at 1.05 megapixels (1024x1024), takes up to 2.10 megapixels, at most 2,048 on a side, sides "
            "at most 2.5 to 1, both multiples of 16",
        ),
    ],
)
def test_a_size_rule_is_told_in_words(rule: SizeRule, words: str) -> None:
    assert edit_wording.size_rule(rule) == words
