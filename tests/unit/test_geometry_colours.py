"""Colours: a file keeps its own and its profile, and the model sees sRGB. Checked by colour math, not by a library."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from pictures import make_picture
from PIL import Image, ImageCms
from pngs import GREY, RGB, RGBA, read_png, write_png
from profiles import as_srgb, cmyk_profile, encoded_srgb, from_srgb, grey_profile, ink_as_srgb, rgb_profile
from tiffs import write_tiff

Array = npt.NDArray[Any]
BOX = MaskShapes(boxes=((10, 5, 30, 25),))
INSIDE = np.s_[5:25, 10:30]
WIDE = rgb_profile()


def colours(dtype: Any = np.uint8) -> Array:
    """40 x 48 colours, of everywhere in the cube but its darkest end, where a gamma of 8 bits has no steps left."""
    rng = np.random.default_rng(11)
    return rng.integers(24, 256, (40, 48, 3)).astype(dtype) * dtype(257 if dtype == np.uint16 else 1)


def whole(data: bytes, mask: Any = BOX) -> Canvas:
    """The canvas of a model that sees the whole picture as it is."""
    return open_canvas(data, mask, EditOptions(fit="whole"), SizeRule(), LIMITS)


def out_of(canvas: Canvas, painted: Array) -> tuple[Array, Array | None, bytes]:
    """What is stored once the model has returned `painted`."""
    canvas.show(0)
    canvas.take(0, painted)
    return read_png(canvas.result().encoded.data)


def outside(pixels: Array) -> Array:
    """The pixels that must be kept."""
    keep = np.ones(pixels.shape[:2], bool)
    keep[INSIDE] = False
    return pixels[keep]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_wide_gamut_picture_is_shown_as_srgb_and_what_was_painted_is_put_back_in_its_colours(dtype: Any) -> None:
    pixels = colours(dtype)
    canvas = whole(write_png(pixels, RGB, pixels.dtype.itemsize * 8, profile=WIDE))
    seen, _ = canvas.show(0)
    assert np.abs(seen - as_srgb(pixels / (257 if dtype == np.uint16 else 1))).max() <= 2
    painted = colours()[::-1].copy()
    found, alpha, profile = out_of(canvas, painted)
    assert alpha is None and profile == WIDE
    assert np.array_equal(outside(found), outside(pixels))
    inside = found[INSIDE] / (257 if dtype == np.uint16 else 1)
    assert np.abs(inside - from_srgb(painted[INSIDE])).max() <= 2
    # Were it put back as it is, it would be off by far more.
    assert np.abs(inside - painted[INSIDE]).max() > 20
    assert not canvas.source.normalised and not canvas.warnings


def test_a_wide_gamut_is_kept_with_transparency_and_from_other_formats() -> None:
    pixels, alpha = colours(), np.random.default_rng(1).integers(0, 256, (40, 48), np.uint8)
    for data in (
        write_png(np.dstack([pixels, alpha]), RGBA, profile=WIDE),
        write_tiff(np.dstack([pixels, alpha]), extra=2, profile=WIDE),
        encode(Image.fromarray(np.dstack([pixels, alpha])), "WEBP", lossless=True, exact=True, icc_profile=WIDE),
    ):
        found, transparency, profile = out_of(whole(data), colours())
        assert np.array_equal(outside(found), outside(pixels))
        assert np.array_equal(transparency, alpha)
        assert profile == WIDE


def test_a_deep_tiff_keeps_its_profile() -> None:
    pixels = colours(np.uint16) + np.uint16(3)
    found, _, profile = out_of(whole(write_tiff(pixels, profile=WIDE)), colours())
    assert np.array_equal(outside(found), outside(pixels)) and profile == WIDE


def test_what_is_transparent_is_shown_on_white_in_srgb() -> None:
    pixels, alpha = colours(), np.full((40, 48), 255, np.uint8)
    alpha[:, 20:], alpha[:, 40:] = 0, 128
    seen, _ = whole(write_png(np.dstack([pixels, alpha]), RGBA, profile=WIDE)).show(0)
    assert (seen[:, 20:40] == 255).all()
    assert np.abs(seen[:, :20] - as_srgb(pixels[:, :20])).max() <= 2
    assert np.abs(seen[:, 40:] - (as_srgb(pixels[:, 40:]) * 128 + 255 * 127) / 255).max() <= 2


@pytest.mark.parametrize("profile", [b"rubbish" * 40, WIDE[:200], WIDE[:36] + b"none" + WIDE[40:], grey_profile()])
def test_a_broken_or_foreign_profile_is_warned_of_and_the_picture_is_preserved(profile: bytes) -> None:
    pixels = colours()
    canvas = whole(encode(Image.fromarray(pixels), icc_profile=profile))
    assert any("colour profile" in warning and "taken for sRGB" in warning for warning in canvas.warnings)
    assert canvas.source.normalised["profile"]["before"] == "unusable"
    seen, _ = canvas.show(0)
    assert np.array_equal(seen, pixels)
    found, _, stored = out_of(canvas, pixels[::-1].copy())
    assert np.array_equal(outside(found), outside(pixels)) and stored == b""
    assert np.array_equal(found[INSIDE], pixels[::-1][INSIDE])


def test_no_damage_to_a_profile_stops_a_job_or_gets_into_the_output_changed() -> None:
    rng, pixels = np.random.default_rng(2), colours()
    for _ in range(150):
        damaged = np.frombuffer(WIDE, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), rng.integers(1, 6))] = rng.integers(0, 256)
        profile = damaged[: int(rng.integers(1, len(damaged) * 3))].tobytes()
        canvas = whole(encode(Image.fromarray(pixels), icc_profile=profile))
        found, _, stored = out_of(canvas, pixels)
        assert np.array_equal(outside(found), outside(pixels))
        assert stored in (profile, b"")
        assert stored or canvas.warnings


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gamma", [1.8, 2.2])
def test_grey_with_a_profile_becomes_srgb_and_that_is_preserved(bits: int, gamma: float) -> None:
    ramp = np.linspace(0, 2**bits - 1, 40 * 48).reshape(40, 48).astype(f"u{bits // 8}")
    canvas = whole(write_png(ramp, GREY, bits, profile=grey_profile(gamma)))
    assert canvas.source.normalised["profile"] == {"before": "Grey by hand", "after": "sRGB"}
    pixels, most = canvas.source.pixels, 2**bits - 1
    wanted = encoded_srgb((ramp / most) ** gamma)
    assert np.abs(pixels / most - wanted[..., None]).max() < 2 / 255
    seen, _ = canvas.show(0)
    assert np.abs(seen / 255 - wanted[..., None]).max() < 2 / 255
    found, _, profile = out_of(canvas, colours())
    assert profile == b""
    assert np.array_equal(outside(found), outside(pixels))
    assert np.array_equal(found[INSIDE] // (257 if bits == 16 else 1), colours()[INSIDE])


@pytest.mark.parametrize("form", ["jpeg CMYK", "tiff CMYK"])
def test_inks_without_a_profile_are_preserved_as_everyone_reads_them(form: str) -> None:
    picture = make_picture(form, 48, 40)
    canvas = whole(picture.data)
    seen, _ = canvas.show(0)
    assert np.array_equal(seen, picture.pixels)
    assert canvas.source.normalised["mode"] == {"before": "CMYK", "after": "RGB"}
    found, _, profile = out_of(canvas, colours())
    assert np.array_equal(outside(found), outside(picture.pixels)) and profile == b""


def test_inks_with_a_profile_look_as_the_profile_says() -> None:
    mixtures = np.array([*itertools.product((0, 255), repeat=4)], np.uint8)
    inks = np.resize(mixtures, (40, 48, 4))
    canvas = whole(encode(Image.fromarray(inks, "CMYK"), "TIFF", icc_profile=cmyk_profile()))
    assert canvas.source.normalised["profile"] == {"before": "Ink by hand", "after": "sRGB"}
    wanted = np.resize(np.array([ink_as_srgb(mixture) for mixture in mixtures]), (40, 48, 3))
    seen, _ = canvas.show(0)
    assert np.abs(seen - wanted).max() <= 2
    found, _, profile = out_of(canvas, colours())
    assert np.abs(outside(found) - outside(wanted)).max() <= 2
    assert np.array_equal(outside(found), outside(seen))
    assert profile == b""


def test_a_picture_that_says_it_is_srgb_is_shown_as_it_is() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    canvas = whole(encode(Image.fromarray(colours()), icc_profile=profile))
    seen, _ = canvas.show(0)
    assert np.array_equal(seen, colours())
    assert out_of(canvas, seen.copy())[2] == profile


def test_16_bits_keep_what_8_would_lose() -> None:
    pixels = np.arange(40 * 48 * 3, dtype=np.uint16).reshape(40, 48, 3) + np.uint16(30_000)
    found, _, _ = out_of(whole(write_png(pixels, RGB, 16)), colours())
    assert np.array_equal(outside(found), outside(pixels))
    assert len(np.unique(outside(found))) > 4_000


@pytest.mark.parametrize("threshold", [1, 100, 200])
def test_a_clear_palette_entry_is_preserved_and_may_be_the_mask(threshold: int) -> None:
    picture = make_picture("png palette 4 transparent", 48, 40)
    assert picture.alpha is not None
    edit = EditOptions(threshold=threshold, fit="whole")
    canvas = open_canvas(picture.data, None, edit, SizeRule(), LIMITS)
    marked = 255 - picture.alpha >= threshold
    assert np.array_equal(canvas.region.marked, marked)
    found, alpha, _ = out_of(canvas, colours())
    assert alpha is not None
    assert np.array_equal(found[~marked], picture.pixels[~marked])
    assert np.array_equal(alpha, np.where(marked, 255, picture.alpha))
    assert np.array_equal(found[marked], colours()[marked])
