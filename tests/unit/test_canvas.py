"""What a canvas makes of readings without a way back, of pipelines that write where they read, and of soft brushes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode, make_image
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from PIL import Image, ImageFilter
from pngs import GREY, RGB, RGBA, read_png, write_png
from profiles import rgb_profile, scanned_as_srgb, scanner_profile
from tiffs import write_tiff

Array = npt.NDArray[Any]
BOX = MaskShapes(boxes=((20, 10, 60, 40),))
RNG = np.random.default_rng(5)
DEEP = RNG.integers(0, 65_536, (64, 96, 4), np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)


def opened(data: bytes, mask: Any = BOX, rule: SizeRule | None = None, **edit: Any) -> Canvas:
    return open_canvas(data, mask, EditOptions(**edit), rule or SizeRule(), LIMITS)


def stored(canvas: Canvas, *, in_place: bool = False) -> bytes:
    """What is stored after a model that inverts everything, in its own memory or in what it was given."""
    for number in range(len(canvas.windows)):
        image, region = canvas.show(number)
        painted = 255 - image
        if in_place:
            image[:], region[:] = painted, ~region
            painted = image
        canvas.take(number, painted)
    return canvas.result().encoded.data


# --- profiles without a way back --------------------------------------------------------------------------------------


def test_a_picture_with_the_profile_of_a_scanner_is_converted_and_that_is_noted() -> None:
    corners = np.array(list(itertools.product((0, 255), repeat=3)), np.uint8)
    pixels = np.repeat(np.repeat(corners[None], 40, axis=0), 12, axis=1)
    for data in (write_png(pixels, RGB, profile=scanner_profile()), write_tiff(pixels, profile=scanner_profile())):
        canvas = opened(data)
        wanted = np.array([scanned_as_srgb(corner) for corner in corners])
        assert np.abs(canvas.source.pixels[0, ::12] - wanted).max() <= 2
        assert canvas.source.normalised == {"profile": {"before": "Scanner by hand", "after": "sRGB"}}
        found, _, profile = read_png(stored(canvas))
        outside = np.ones(found.shape[:2], bool)
        outside[10:40, 20:60] = False
        assert profile == b"" and np.array_equal(found[outside], canvas.source.pixels[outside])


def test_its_16_bits_become_8_with_those_of_its_transparency() -> None:
    canvas = opened(write_png(DEEP, RGBA, 16, profile=scanner_profile()))
    assert canvas.source.normalised["bits"] == {"before": 16, "after": 8}
    found, alpha, _ = read_png(stored(canvas))
    assert found.dtype == np.uint8 and alpha is not None
    assert np.array_equal(alpha, np.rint(DEEP[..., 3] / 257))


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_it_can_be_stored_in_every_format(kind: str) -> None:
    canvas = opened(encode(make_image(), icc_profile=scanner_profile()), format=kind)
    stored(canvas)
    assert canvas.source.normalised["profile"]["after"] == "sRGB"


# --- what else is not kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [1.0, 0.55556])
@pytest.mark.parametrize("kind", [GREY, RGB])
def test_a_gamma_that_a_png_states_is_not_applied_and_that_is_said(gamma: float, kind: int) -> None:
    canvas = opened(write_png(FLAT[..., 0] if kind == GREY else FLAT[..., :3], kind, gamma=gamma))
    assert canvas.warnings == [f"The source states a gamma of {gamma:.3g}. It was not applied: sRGB was assumed."]


def test_the_gamma_of_srgb_and_one_beside_a_profile_need_no_word() -> None:
    assert opened(write_png(FLAT[..., :3], RGB, gamma=0.45455)).warnings == []
    assert opened(write_png(FLAT[..., :3], RGB, gamma=1.0, profile=rgb_profile())).warnings == []


def test_the_16_bits_of_a_tiff_in_cmyk_are_noted() -> None:
    assert opened(write_tiff(DEEP, ink=True)).source.normalised["bits"] == {"before": 16, "after": 8}
    assert "bits" not in opened(write_tiff(FLAT, ink=True)).source.normalised
    assert "bits" not in opened(write_tiff(DEEP[..., :3])).source.normalised


# --- pipelines that write where they read -----------------------------------------------------------------------------

SOURCES = {
    "8 bits": write_png(FLAT[..., :3], RGB),
    "16 bits": write_png(DEEP[..., :3], RGB, 16),
    "transparency": write_png(FLAT, RGBA),
}


@pytest.mark.parametrize("rule", [SizeRule(), SizeRule(native_area=64 * 64, multiple_of=8)], ids=["any", "64x64"])
@pytest.mark.parametrize("fit", ["crop", "whole"])
@pytest.mark.parametrize("source", SOURCES)
def test_what_a_pipeline_is_given_may_be_written_into(source: str, fit: str, rule: SizeRule) -> None:
    two = MaskShapes(boxes=((2, 2, 6, 6), (80, 50, 90, 60)))
    canvas, other = (opened(SOURCES[source], two, rule, fit=fit) for _ in range(2))
    before = canvas.source.pixels.copy()
    assert stored(canvas, in_place=True) == stored(other)
    assert np.array_equal(canvas.source.pixels, before)


# --- the transparency of a soft brush as a mask -----------------------------------------------------------------------


def brushed() -> bytes:
    """A picture of which a disc was erased with a soft brush."""
    alpha = Image.new("L", (96, 64), 255)
    alpha.paste(0, (30, 20, 60, 44))
    picture = make_image().convert("RGBA")
    picture.putalpha(alpha.filter(ImageFilter.GaussianBlur(4)))
    return encode(picture)


def test_what_a_soft_brush_left_half_transparent_is_warned_of() -> None:
    canvas = opened(brushed(), None)
    soft = int(np.count_nonzero((canvas.source.alpha < 255) & ~canvas.region.marked))
    assert soft > 100
    assert canvas.warnings == [
        f"{soft:,} pixels are partly transparent and outside of the edit region: they stay so. To fill them, use a "
        "threshold of 1, or grow the region."
    ]


@pytest.mark.parametrize("edit", [{"threshold": 1}, {"grow": 20}])
def test_nothing_is_warned_of_where_all_of_it_is_filled(edit: dict[str, float]) -> None:
    canvas = opened(brushed(), None, **edit)
    assert canvas.warnings == []
    _, alpha, _ = read_png(stored(canvas))
    assert alpha is not None and alpha.min() == 255


def test_nothing_is_warned_of_after_a_hard_one() -> None:
    picture = make_image().convert("RGBA")
    picture.paste((0, 0, 0, 0), (30, 20, 60, 44))
    assert opened(encode(picture), None).warnings == []


@pytest.mark.parametrize("profile", [b"", rgb_profile()])
def test_a_pipeline_that_writes_into_what_it_is_given_is_measured_by_what_it_was_given(profile: bytes) -> None:
    data = write_png(FLAT[..., :3], RGB, profile=profile)
    writing, careful = opened(data), opened(data)
    assert stored(writing, in_place=True) == stored(careful)
    assert writing.raw == careful.raw
