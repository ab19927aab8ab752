"""Files that are rare and that people do send: each is read for what it holds, or refused with a reason."""

from __future__ import annotations

import contextlib
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import FullMask, ImageError, RequestError
from inpaint_core.images import Limits
from inpaint_core.masks import has_transparency
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from inpaint_worker.geometry.region import cut, make_region
from PIL import Image
from pngs import GREY, GREY_ALPHA, RGB, write_png
from profiles import SRGB, as_srgb, encoded_srgb, grey_profile, rgb_profile
from tiffs import write_tiff

Array = npt.NDArray[Any]
BOX = MaskShapes(boxes=((3, 4, 9, 8),))
RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65_536, (13, 17, 4), np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)


def opened(data: bytes, mask: Any = BOX, **edit: Any) -> Canvas:
    """The canvas of a model that sees any size."""
    return open_canvas(data, mask, EditOptions(fit="whole", **edit), SizeRule(), LIMITS)


def jpeg_with(kind: int, count: int, value: bytes, far: bytes = b"") -> bytes:
    """A JPEG whose EXIF holds this as its orientation."""
    entry = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHI", 0x0112, kind, count) + value + b"\0\0\0\0" + far
    return encode(Image.fromarray(FLAT[..., :3]), "JPEG", exif=b"Exif\0\0" + entry)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_deep_grey_tiff_is_turned_once(orientation: int) -> None:
    grey = DEEP[..., 0]
    turned = {2: np.fliplr(grey), 3: np.rot90(grey, 2), 4: np.flipud(grey), 5: grey.T, 6: np.rot90(grey, -1),
              7: np.rot90(grey, 2).T, 8: np.rot90(grey)}[orientation]  # fmt: skip
    assert np.array_equal(opened(write_tiff(grey, orientation=orientation)).source.pixels[..., 0], turned)


@pytest.mark.parametrize("kind", [GREY, RGB])
def test_the_clear_colour_of_a_deep_png_may_be_the_mask(kind: int) -> None:
    samples = DEEP[..., 0] if kind == GREY else DEEP[..., :3]
    key = samples[0, 0]
    clear = samples == key if kind == GREY else (samples == key).all(axis=2)
    data = write_png(samples, kind, 16, transparent=np.atleast_1d(key).astype(">u2").tobytes())
    assert np.array_equal(opened(data, None).region.marked, clear)


@pytest.mark.parametrize("bits", [2, 4])
def test_the_clear_value_of_a_png_with_few_greys_is_clear(bits: int) -> None:
    grey = FLAT[..., 0] >> (8 - bits)
    grey[0, 0] = 1
    alpha = opened(write_png(grey, GREY, bits, transparent=b"\0\x01")).source.alpha
    assert np.array_equal(alpha, np.where(grey == 1, 0, 255))


def test_a_grey_png_with_a_clear_value_keeps_it_when_its_profile_is_applied() -> None:
    grey = FLAT[..., 0]
    key = int(grey[0, 0])
    data = write_png(grey, GREY, 8, profile=grey_profile(2.2), transparent=struct.pack(">H", key))
    assert np.array_equal(opened(data).source.alpha, np.where(grey == key, 0, 255))


def test_a_deep_tiff_with_a_spare_channel_is_not_transparent_as_one_of_8_bits_is_not() -> None:
    assert opened(write_tiff(FLAT, extra=0)).source.alpha is None
    assert opened(write_tiff(DEEP, extra=0)).source.alpha is None


def test_lab_has_no_transparency() -> None:
    image = Image.merge("LAB", Image.fromarray(FLAT[..., :3]).split())
    assert not has_transparency(image)
    assert opened(encode(image, "TIFF")).source.alpha is None


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(7, 2, b"\0\x06\0\0"),
        jpeg_with(5, 1, struct.pack(">I", 26), struct.pack(">II", 6, 0)),
        jpeg_with(2, 2, b"x\0\0\0"),
    ],
)
def test_an_orientation_that_is_no_number_is_ignored(data: bytes) -> None:
    assert opened(data).source.size == (17, 13)


@pytest.mark.parametrize("bits", [8, 16])
def test_broken_exif_at_the_end_of_a_png_is_ignored_or_refused(bits: int) -> None:
    samples = (DEEP if bits == 16 else FLAT)[..., :3]
    broken = b"bad!bad!"
    last = struct.pack(">I", 8) + b"eXIf" + broken + struct.pack(">I", zlib.crc32(b"eXIf" + broken))
    with contextlib.suppress(ImageError):
        assert opened(write_png(samples, RGB, bits, last=last)).source.size == (17, 13)


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_truncated_deep_png_is_refused(share: float) -> None:
    data = write_png(DEEP[..., :3], RGB, 16)
    with pytest.raises(ImageError):
        opened(data[: int(len(data) * share)])


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_grey_with_a_profile_is_right_in_the_darks_too(gamma: float) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    pixels = opened(write_png(ramp, GREY, 8, profile=grey_profile(gamma))).source.pixels
    exact = 255 * encoded_srgb((ramp / 255) ** (round(gamma * 256) / 256))
    assert np.abs(pixels - exact[..., None]).max() <= 1


def test_grey_with_transparency_follows_its_profile_as_grey_without_does() -> None:
    for samples, bits in ((FLAT[..., :2], 8), (DEEP[..., :2], 16)):
        profile = grey_profile(1.8)
        plain = opened(write_png(samples[..., 0], GREY, bits, profile=profile)).source
        both = opened(write_png(samples, GREY_ALPHA, bits, profile=profile)).source
        assert np.array_equal(both.pixels, plain.pixels)


def test_grey_with_a_profile_for_rgb_keeps_it_in_every_form() -> None:
    profile = rgb_profile()
    for mode in ("L", "LA", "P"):
        canvas = opened(encode(Image.fromarray(FLAT[..., 0]).convert(mode), icc_profile=profile))
        assert canvas.source.profile == profile and "profile" not in canvas.source.normalised
        assert not any("profile" in warning for warning in canvas.warnings)


@pytest.mark.parametrize("name", ["Écran", "Bildschirm für Fotos", "\u6a19\u6e96"])
def test_a_profile_may_have_a_name_in_any_language(name: str) -> None:
    canvas = opened(encode(Image.fromarray(FLAT[..., :3]), icc_profile=rgb_profile(name=name)))
    assert canvas.source.profile is not None and not canvas.source.normalised


def test_a_profile_is_not_srgb_because_of_its_name() -> None:
    profile = rgb_profile(SRGB, 1.0, "sRGB-elle-V2-g10.icc")
    seen, _ = opened(encode(Image.fromarray(FLAT[..., :3]), icc_profile=profile)).show(0)
    assert np.abs(seen - as_srgb(FLAT[..., :3], SRGB, 1.0)).max() <= 2


def test_what_webp_cannot_hold_is_refused_before_anything_is_painted() -> None:
    limits = Limits(64 << 20, 4_000_000, 16_384)
    with pytest.raises(RequestError, match="webp holds at most 16,383"):
        open_canvas(encode(Image.new("RGB", (16_384, 8))), BOX, EditOptions(format="webp"), SizeRule(), limits)


def test_a_region_that_was_filled_and_not_grown_does_not_say_that_it_was_grown() -> None:
    mask = np.full((8, 8), 255, np.uint8)
    mask[2:5, 2:5] = 0
    with pytest.raises(FullMask) as caught:
        make_region(mask, EditOptions(fill_holes=True))
    assert "grown" not in str(caught.value)


def test_no_window_is_painted_that_has_nothing_left_to_paint() -> None:
    mask = np.zeros((3000, 4000), np.uint8)
    x, y, w, h = 1181, 202, 1204, 460
    mask[y : y + h, x : x + 4] = mask[y + h - 4 : y + h, x : x + w] = 255
    mask[y : y + 4, x + w : x + 2 * w] = mask[y : y + h, x + 2 * w - 4 : x + 2 * w] = 255
    mask[y + h // 2 : y + h // 2 + 2, x + w - 615 : x + w + 615] = 255
    limits = Limits(64 << 20, 13_000_000, 4_000)
    rule = SizeRule(multiple_of=64, native_area=1024**2)
    source = encode(Image.new("L", (4000, 3000)), compress_level=1)
    canvas = open_canvas(source, encode(Image.fromarray(mask)), EditOptions(), rule, limits)
    for number, window in enumerate(canvas.windows):
        assert canvas.pending[cut(window.target)].any()
        seen, _ = canvas.show(number)
        canvas.take(number, seen)


def test_a_deep_grey_tiff_and_a_mask_of_its_kind_agree() -> None:
    grey = DEEP[..., 0].copy()
    mask = np.zeros_like(grey)
    mask[2:6, 3:9] = 65_535
    canvas = opened(write_tiff(grey, orientation=6), write_tiff(mask, orientation=6))
    assert np.array_equal(canvas.region.marked, np.rot90(mask, -1) > 0)
