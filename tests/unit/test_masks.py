"""What masks mean: in every mode, in three polarities, from the transparency of a source, from boxes and polygons."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from factories import LIMITS, encode, make_image, make_mask, sideways
from inpaint_core.edit import EditOptions, MaskShapes, Polarity
from inpaint_core.errors import EmptyMask, FullMask, MaskOutside, MaskSizeMismatch, NoTransparency
from inpaint_core.images import inspect_image
from inpaint_core.masks import (
    Reading,
    alpha_mask,
    binary_mask,
    check_pair,
    count_marked,
    inspect_mask,
    open_mask,
    shapes_mask,
)
from PIL import Image, ImageChops

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]
#: The middle quarter of `make_mask`.
QUARTER = 48 * 32
BLACK, TRANSPARENT = Reading(Polarity.BLACK), Reading(Polarity.TRANSPARENT)


def in_mode(mode: str) -> bytes:
    """The usual mask as a file of this mode."""
    mask = make_mask()
    image = mask.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else mask.convert(mode)
    return encode(image, "TIFF" if mode == "CMYK" else "PNG")


def with_hole(mode: str = "RGBA", alpha: int = 0) -> Image.Image:
    """A picture whose middle quarter is more or less transparent."""
    picture = make_image().convert("RGBA")
    picture.putalpha(make_mask().point(lambda value: alpha if value else 255))
    return picture.convert(mode)


# --- white, black -----------------------------------------------------------------------------------------------------


def test_a_mask_has_only_black_and_white_and_its_white_pixels_are_counted() -> None:
    data = encode(make_mask(96, 64, box=(10, 10, 19, 29)))
    mask = open_mask(data, LIMITS)
    assert mask.mode == "L" and {value for _, value in mask.getcolors() or []} == {0, 255}
    facts, marked = inspect_mask(data, LIMITS)
    assert facts.masked_pixels == marked == 10 * 20


@pytest.mark.parametrize("mode", MODES)
def test_the_same_mask_means_the_same_in_every_mode(mode: str) -> None:
    assert inspect_mask(in_mode(mode), LIMITS)[1] == QUARTER


@pytest.mark.parametrize("mode", MODES)
def test_with_black_as_what_marks_each_mode_means_the_opposite(mode: str) -> None:
    facts, marked = inspect_mask(in_mode(mode), LIMITS, reading=BLACK)
    assert marked == 96 * 64 - QUARTER
    assert facts.masked_pixels is None, "only the usual reading is recorded of an image"
    white, black = open_mask(in_mode(mode), LIMITS), open_mask(in_mode(mode), LIMITS, reading=BLACK)
    assert ImageChops.invert(black).tobytes() == white.tobytes()


@pytest.mark.parametrize(("value", "repainted"), [(127, False), (128, True), (255, True)])
def test_half_white_is_where_repainting_begins(value: int, repainted: bool) -> None:
    image = Image.new("L", (8, 8), 0)
    image.paste(value, (0, 0, 4, 4))
    image.putpixel((7, 7), 255)
    assert (binary_mask(image).getpixel((1, 1)) == 255) is repainted


@pytest.mark.parametrize("threshold", [1, 2, 100, 254, 255])
@pytest.mark.parametrize("polarity", ["white", "black"])
def test_the_threshold_is_the_first_value_that_marks(threshold: int, polarity: str) -> None:
    """Black counts from its own end: with 1, whatever is not white is marked."""
    image = Image.new("L", (256, 1))
    image.putdata(list(range(256)))
    marked = count_marked(binary_mask(image, reading=Reading(Polarity(polarity), threshold)))
    assert marked == 256 - threshold
    first = threshold if polarity == "white" else 255 - threshold
    assert binary_mask(image, reading=Reading(Polarity(polarity), threshold)).getpixel((first, 0)) == 255


@pytest.mark.parametrize(("threshold", "marked"), [(1, 64), (77, 64), (78, 48), (127, 48), (128, 32), (250, 16)])
def test_a_mask_of_16_bits_is_scaled_and_not_clipped(threshold: int, marked: int) -> None:
    values = (0, 20_000, 32_895, 32_896, 65_535)  # 0, 77, 127, 128 and 255 of 255; clipping makes four of them white
    image = Image.frombytes("I;16", (16, 5), b"".join(struct.pack("<H", value) * 16 for value in values))
    assert inspect_mask(encode(image), LIMITS, reading=Reading(threshold=threshold))[1] == marked


# --- transparency of masks --------------------------------------------------------------------------------------------


def test_transparent_pixels_of_a_mask_mark_nothing_whatever_colour_lies_under_them() -> None:
    for colour, reading in ((255, Reading()), (0, BLACK)):
        image = Image.new("RGBA", (8, 8), (colour, colour, colour, 0))
        image.paste((colour, colour, colour, 255), (0, 0, 4, 4))
        assert inspect_mask(encode(image), LIMITS, reading=reading)[1] == 16


def test_a_palette_with_a_transparent_colour_is_a_mask_like_any_other() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.paste(0, (0, 0, 4, 4))
    data = encode(image, transparency=1)
    assert inspect_mask(data, LIMITS)[1] == 16
    assert inspect_mask(data, LIMITS, reading=TRANSPARENT)[1] == 48


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_mask_in_which_transparency_marks_may_have_any_colours(mode: str) -> None:
    assert inspect_mask(encode(with_hole(mode)), LIMITS, reading=TRANSPARENT)[1] == QUARTER


def test_a_mask_in_which_transparency_marks_needs_some() -> None:
    with pytest.raises(NoTransparency, match=r"The mask has no transparency \(its mode is L\)") as caught:
        inspect_mask(encode(make_mask()), LIMITS, reading=TRANSPARENT)
    assert caught.value.code == "no_transparency"
    with pytest.raises(EmptyMask, match="its most transparent pixel has an alpha of 255 of 255, and up to 127"):
        inspect_mask(encode(make_image(mode="RGBA")), LIMITS, reading=TRANSPARENT)


@pytest.mark.parametrize(("alpha", "threshold", "marked"), [(127, 128, True), (128, 128, False), (254, 1, True)])
def test_half_transparent_is_where_repainting_begins(alpha: int, threshold: int, marked: bool) -> None:
    source = with_hole(alpha=alpha)
    source.putpixel((0, 0), (0, 0, 0, 0))
    assert count_marked(alpha_mask(source, threshold)) == (QUARTER + 1 if marked else 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_transparent_pixels_of_a_source_are_its_mask(mode: str) -> None:
    assert alpha_mask(with_hole(mode)).tobytes() == make_mask().tobytes()


def test_a_source_that_cannot_be_its_own_mask_says_why() -> None:
    with pytest.raises(NoTransparency, match=r"The source room.jpg has no transparency \(its mode is RGB\)"):
        alpha_mask(make_image(), what="source room.jpg")
    with pytest.raises(EmptyMask, match=r"The transparency of the source marks nothing to repaint.*Erase the area"):
        alpha_mask(make_image(mode="RGBA"))
    with pytest.raises(FullMask, match="The transparency of the source marks the whole picture"):
        alpha_mask(Image.new("RGBA", (8, 8)))


# --- masks that mark nothing, or all ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reading", "words"),
    [
        (0, Reading(), "brightest pixel is 0 of 255, and white (from 128)"),
        (127, Reading(), "brightest pixel is 127 of 255"),
        (199, Reading(threshold=200), "brightest pixel is 199 of 255, and white (from 200)"),
        (255, BLACK, "darkest pixel is 255 of 255, and black (up to 127)"),
        (128, BLACK, "darkest pixel is 128 of 255"),
    ],
)
def test_an_empty_mask_tells_its_extreme_pixel_and_what_marks(value: int, reading: Reading, words: str) -> None:
    with pytest.raises(EmptyMask) as caught:
        inspect_mask(encode(Image.new("L", (8, 8), value)), LIMITS, reading=reading)
    assert words in caught.value.message and caught.value.code == "mask_empty"


@pytest.mark.parametrize(("value", "reading"), [(255, Reading()), (0, BLACK), (1, Reading(threshold=1))])
def test_a_mask_that_marks_everything_leaves_nothing_of_the_picture(value: int, reading: Reading) -> None:
    with pytest.raises(FullMask, match=r"The mask marks the whole picture.*invert it"):
        inspect_mask(encode(Image.new("L", (8, 8), value)), LIMITS, reading=reading)


# --- masks of another size --------------------------------------------------------------------------------------------


def test_a_mask_on_its_side_is_turned_as_the_source_is() -> None:
    source, mask = sideways(make_image(96, 64)), encode(make_mask(96, 64))
    check_pair(inspect_image(source, LIMITS), inspect_mask(mask, LIMITS)[0])


def test_a_mask_of_another_size_tells_both_sizes_and_the_way_out() -> None:
    source, mask = inspect_image(encode(make_image(96, 64)), LIMITS), inspect_mask(encode(make_mask(64, 96)), LIMITS)[0]
    with pytest.raises(MaskSizeMismatch, match=r"The mask is 64x96 pixels and the source 96x64.*resize_mask") as caught:
        check_pair(source, mask)
    assert caught.value.mask == (64, 96) and caught.value.source == (96, 64)


@pytest.mark.parametrize("scale", [2, 4, 0.5])
@pytest.mark.parametrize("polarity", ["white", "black"])
def test_a_resized_mask_marks_the_same_place(scale: float, polarity: str) -> None:
    small = make_mask(round(96 * scale), round(64 * scale))
    if polarity == "black":
        small = ImageChops.invert(small)
    mask = binary_mask(small, reading=Reading(Polarity(polarity), size=(96, 64)))
    assert mask.size == (96, 64) and {value for _, value in mask.getcolors() or []} == {0, 255}
    assert count_marked(mask) == pytest.approx(QUARTER, rel=0.07)
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    assert abs(left - 24) <= 1 and abs(top - 16) <= 1 and abs(right - 72) <= 1 and abs(bottom - 48) <= 1


def test_a_mask_of_the_right_size_is_not_touched_by_resizing() -> None:
    speckled = Image.effect_noise((96, 64), 200)
    assert binary_mask(speckled, reading=Reading(size=(96, 64))).tobytes() == binary_mask(speckled).tobytes()


def test_what_gets_lost_in_resizing_is_an_empty_mask_and_not_an_empty_job() -> None:
    dot = make_mask(960, 640, box=(100, 100, 102, 102))
    with pytest.raises(EmptyMask):
        binary_mask(dot, reading=Reading(size=(96, 64)))


def test_a_reading_follows_the_options() -> None:
    assert Reading.of(EditOptions(), (96, 64)) == Reading() and Reading().is_usual
    given = Reading.of(EditOptions(polarity=Polarity.BLACK, threshold=9, resize_mask=True), (96, 64))
    assert given == Reading(Polarity.BLACK, 9, (96, 64)) and not given.is_usual
    assert not Reading.of(EditOptions(resize_mask=True), (96, 64)).is_usual


# --- boxes and polygons -----------------------------------------------------------------------------------------------


def drawn(**shapes: Any) -> Image.Image:
    mask = shapes_mask(MaskShapes(**shapes), (96, 64))
    assert mask.mode == "L" and mask.size == (96, 64)
    return mask


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((10, 20, 30, 50), (10, 20, 30, 50)),
        ((0, 0, 1, 1), (0, 0, 1, 1)),
        ((95, 63, 96, 64), (95, 63, 96, 64)),
        ((-50, -50, 10, 10), (0, 0, 10, 10)),
        ((90, 60, 100_000, 100_000), (90, 60, 96, 64)),
        ((-5, 30, 200, 31), (0, 30, 96, 31)),
    ],
)
def test_a_box_marks_from_left_and_top_up_to_just_before_right_and_bottom(
    box: tuple[int, ...], clipped: tuple[int, int, int, int]
) -> None:
    mask = drawn(boxes=[box])
    left, top, right, bottom = clipped
    assert mask.getbbox() == clipped and count_marked(mask) == (right - left) * (bottom - top)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_polygon_along_the_pixels_is_the_box_it_draws_to_within_a_pixel_at_its_border(turn: int) -> None:
    corners = [(10, 20), (30, 20), (30, 50), (10, 50)]
    mask = drawn(polygons=[corners[turn:] + corners[:turn]])
    box = drawn(boxes=[(10, 20, 30, 50)])
    differs = ImageChops.difference(mask, box)
    differs.paste(0, (11, 21, 29, 49))  # inside
    assert not ImageChops.difference(mask, box).crop((11, 21, 29, 49)).getbbox()
    assert (differs.getbbox() or (10, 20, 31, 51)) >= (9, 19, 0, 0)
    assert abs(count_marked(mask) - 20 * 30) <= 2 * (20 + 30)


def test_a_polygon_is_filled_and_clipped_at_the_border() -> None:
    triangle = drawn(polygons=[[(0, 0), (60, 0), (0, 40)]])
    assert count_marked(triangle) == pytest.approx(60 * 40 / 2, rel=0.05)
    assert triangle.getpixel((1, 1)) == 255 and triangle.getpixel((50, 35)) == 0
    beyond = drawn(polygons=[[(-1000, -1000), (48, -1000), (48, 1000), (-1000, 1000)]])
    assert count_marked(beyond) == pytest.approx(48 * 64, rel=0.03)


def test_shapes_are_marked_together() -> None:
    both = drawn(boxes=[(0, 0, 10, 10), (5, 5, 15, 15)], polygons=[[(50, 10), (90, 10), (70, 50)]])
    assert count_marked(both.crop((0, 0, 40, 40))) == 100 + 100 - 25
    assert both.getpixel((70, 20)) == 255


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"boxes": [(96, 0, 100, 10)]}, "The box [96, 0, 100, 10] of the mask lies outside of the picture, which"),
        ({"boxes": [(0, 0, 9, 9), (-9, -9, 0, 5)]}, "The box [-9, -9, 0, 5]"),
        ({"polygons": [[(200, 0), (300, 0), (250, 50)]]}, "The polygon [[200.0, 0.0]"),
        ({"polygons": [[(0, 64), (50, 64), (20, 90)]]}, "The polygon"),
    ],
)  # fmt: skip
def test_a_shape_beside_the_picture_is_refused_with_its_place(shapes: dict[str, Any], words: str) -> None:
    with pytest.raises(MaskOutside) as caught:
        drawn(**shapes)
    assert words in caught.value.message and caught.value.size == (96, 64) and caught.value.code == "mask_outside"


def test_a_box_over_everything_leaves_nothing_of_the_picture() -> None:
    with pytest.raises(FullMask):
        drawn(boxes=[(0, 0, 96, 64)])
