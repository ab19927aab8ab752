"""Masks with colours: pictures given by mistake, and areas painted red."""

from __future__ import annotations

import pytest
from factories import LIMITS, encode, make_image, make_mask
from inpaint_core.edit import Polarity
from inpaint_core.errors import ColouredMask
from inpaint_core.masks import Reading, inspect_mask, open_mask
from PIL import Image, ImageCms


def painted_on_a_photo() -> Image.Image:
    """What somebody makes who was told to mark the area in red."""
    picture = make_image()
    picture.paste((255, 0, 0), (10, 10, 40, 40))
    return picture


def red_on_black() -> Image.Image:
    """A mask in the wrong colour."""
    picture = Image.new("RGB", (96, 64))
    picture.paste((255, 0, 0), (10, 10, 40, 40))
    return picture


def with_a_hole() -> Image.Image:
    """A photo with a transparent hole."""
    picture = make_image().convert("RGBA")
    picture.paste((0, 0, 0, 0), (10, 10, 40, 40))
    return picture


@pytest.mark.parametrize("make", [make_image, painted_on_a_photo, red_on_black, with_a_hole])
def test_a_mask_with_colours_is_refused_with_what_a_mask_is(make: object) -> None:
    with pytest.raises(ColouredMask, match="black and white: white is repainted"):
        inspect_mask(encode(make()), LIMITS)  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_a_grey_mask_is_taken_in_every_mode(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert inspect_mask(encode(make_mask().convert(mode), kind), LIMITS)[1] == 48 * 32


@pytest.mark.parametrize("quality", [10, 50, 95])
def test_a_grey_mask_that_was_saved_as_jpeg_is_taken(quality: int) -> None:
    data = encode(make_mask().convert("RGB"), "JPEG", quality=quality)
    assert inspect_mask(data, LIMITS)[1] == pytest.approx(48 * 32, rel=0.1)


def test_a_mask_in_lab_is_read_by_its_lightness() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    mask = ImageCms.profileToProfile(make_mask().convert("RGB"), srgb, lab, outputMode="LAB")
    assert mask is not None and mask.mode == "LAB"
    data = encode(mask, "TIFF")
    assert open_mask(data, LIMITS).tobytes() == make_mask().tobytes()
    assert inspect_mask(data, LIMITS, reading=Reading(Polarity.BLACK))[1] == 96 * 64 - 48 * 32
