"""Reference and control images in every form that people send, and the part of a control image that a window shows."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode, make_image, sideways
from inpaint_core.edit import EditOptions, Fit, MaskShapes
from inpaint_core.errors import ControlMismatch, FormatRefused, ImageTooLarge, TooManyFrames, UnreadableImage
from inpaint_core.images import Limits
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from inpaint_worker.geometry.guides import open_control, open_reference
from pictures import FORMS, make_picture
from PIL import Image
from pngs import GREY, RGBA, write_png
from profiles import rgb_profile, scanner_profile

Array = npt.NDArray[Any]
RNG = np.random.default_rng(7)
W, H = 48, 32


def eight(samples: Array) -> Array:
    return samples if samples.dtype == np.uint8 else np.rint(samples / 257).astype(np.uint8)


def over(pixels: Array, alpha: Array | None, ground: int) -> Array:
    """The picture on a ground of one grey, by the textbook."""
    if alpha is None:
        return pixels
    opacity = alpha[..., None] / 255
    return np.rint(pixels * opacity + ground * (1 - opacity)).astype(np.uint8)


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_picture_is_taken_references_on_white_and_controls_on_black(form: str) -> None:
    picture = make_picture(form, W, H)
    pixels, alpha = eight(picture.pixels), None if picture.alpha is None else eight(picture.alpha)
    # Colours of CMYK are converted, and not by a formula of ours.
    allowed = 12 if "CMYK" in form else 1
    for found, ground in (
        (open_reference(picture.data, LIMITS), 255),
        (open_control(picture.data, (W, H), LIMITS), 0),
    ):
        assert found.dtype == np.uint8 and found.shape == (H, W, 3) and found.flags.c_contiguous
        wanted = over(pixels, alpha, ground)
        assert np.abs(found.astype(int) - wanted).max() <= allowed


def test_lines_drawn_on_a_transparent_ground_are_seen() -> None:
    lines = np.zeros((H, W, 4), np.uint8)
    lines[10, :] = 255
    control = open_control(write_png(lines, RGBA), (W, H), LIMITS)
    assert (control[10] == 255).all() and control.sum() == 255 * 3 * W


def test_a_depth_map_of_16_bits_keeps_its_range() -> None:
    ramp = np.linspace(0, 65_535, W * H).reshape(H, W).astype(np.uint16)
    control = open_control(write_png(ramp, GREY, 16), (W, H), LIMITS)
    assert control.min() == 0 and control.max() == 255
    assert np.abs(control[..., 0] - ramp / 257).max() <= 0.51


def test_a_photo_that_lies_on_its_side_is_turned_upright_before_its_shape_is_looked_at() -> None:
    image = make_image(W, H)
    data = sideways(image)
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.size == (H, W)
    for found in (open_reference(data, LIMITS), open_control(data, (W, H), LIMITS)):
        assert found.shape == (H, W, 3)
        assert np.abs(found.astype(int) - np.asarray(image)).mean() < 12
    with pytest.raises(ControlMismatch, match="The control image is 48x32 pixels and the source 32x48"):
        open_control(data, (H, W), LIMITS)


@pytest.mark.parametrize("profile", ["a wide one", "that of a scanner"])
def test_guides_with_a_colour_profile_are_seen_in_the_colours_that_a_source_with_it_is_seen_in(profile: str) -> None:
    icc = rgb_profile() if profile == "a wide one" else scanner_profile()
    data = encode(make_image(W, H), icc_profile=icc)
    shapes = MaskShapes(boxes=((10, 10, 20, 20),))
    image, _ = open_canvas(data, shapes, EditOptions(fit=Fit.WHOLE), SizeRule(), LIMITS).show(0)
    assert not np.array_equal(image, np.asarray(make_image(W, H)))
    assert np.array_equal(open_reference(data, LIMITS), image)
    assert np.array_equal(open_control(data, (W, H), LIMITS), image)


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(2000, 1500), (4000, 300), (300, 4000), (1025, 1024)])
def test_a_large_reference_is_shown_whole_in_at_most_a_megapixel(width: int, height: int) -> None:
    image = make_image(width, height)
    found = open_reference(encode(image), LIMITS)
    assert 0.98 * 2**20 < found.shape[0] * found.shape[1] <= 2**20
    assert found.shape[1] / found.shape[0] == pytest.approx(width / height, rel=0.01)
    # The whole of it: its mean is what it was, and so are its corners.
    assert np.abs(found.reshape(-1, 3).mean(axis=0) - np.asarray(image).reshape(-1, 3).mean(axis=0)).max() < 1
    assert np.abs(found[0, 0].astype(int) - np.asarray(image)[0, 0]).max() < 20


def test_references_of_up_to_a_megapixel_keep_every_pixel() -> None:
    image = make_image(1024, 1024)
    assert np.array_equal(open_reference(encode(image), LIMITS), np.asarray(image))
    assert open_reference(encode(make_image(1, 1)), LIMITS).shape == (1, 1, 3)
    assert open_reference(encode(Image.new("RGB", (4000, 1), (9, 8, 7))), LIMITS).shape == (1, 4000, 3)


@pytest.mark.parametrize("size", [(24, 16), (96, 64), (480, 320), (47, 31)])
def test_a_control_image_of_another_size_is_brought_to_that_of_the_source(size: tuple[int, int]) -> None:
    # A cross through the middle stays there, whatever the size.
    image = Image.new("L", size, 0)
    image.paste(255, (size[0] // 2, 0, size[0], size[1]))
    found = open_control(encode(image), (W, H), LIMITS)
    assert found.shape == (H, W, 3)
    assert (found[:, : W // 2 - 2] == 0).all() and (found[:, W // 2 + 2 :] == 255).all()


# --- what cannot be read ----------------------------------------------------------------------------------------------


def gif(frames: int) -> bytes:
    buffer = io.BytesIO()
    pictures = [make_image(W, H, seed=number) for number in range(frames)]
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def moving_webp() -> bytes:
    buffer = io.BytesIO()
    make_image(W, H).save(buffer, "WEBP", save_all=True, append_images=[make_image(W, H, seed=1)])
    return buffer.getvalue()


LARGE = Limits(max_bytes=64 << 20, max_pixels=50_000_000, max_side=20_000)
WRONG: dict[str, tuple[bytes, type[Exception], str]] = {
    "nothing": (b"", UnreadableImage, "is empty (0 bytes)"),
    "a text": (b"a chair, please\n" * 9, UnreadableImage, ""),
    "half a picture": (encode(make_image(300, 200))[:2000], UnreadableImage, "truncated or damaged"),
    "sixty megapixels": (encode(Image.new("L", (10_000, 6_000))), ImageTooLarge, "10000x6000 (60,000,000 pixels)"),
    "a moving GIF": (gif(3), FormatRefused, "GIF"),
    "a moving WebP": (moving_webp(), TooManyFrames, "several frames"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", FormatRefused, "SVG"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_picture_or_too_large_is_refused_by_the_name_of_its_role(name: str) -> None:
    data, kind, words = WRONG[name]
    reads: dict[str, Callable[[], object]] = {
        "reference image": lambda: open_reference(data, LARGE),
        "control image": lambda: open_control(data, (W, H), LARGE),
    }
    for role, read in reads.items():
        with pytest.raises(kind) as caught:
            read()
        assert f"The {role} " in str(caught.value) and words in str(caught.value), str(caught.value)


# --- windows ----------------------------------------------------------------------------------------------------------


def place(width: int, height: int) -> Array:
    """A picture in which every pixel says where it is."""
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x % 256, y % 256, (x // 256) * 16 + y // 256]).astype(np.uint8)


def opened(shapes: MaskShapes, rule: SizeRule | None = None, size: tuple[int, int] = (900, 600), **edit: Any) -> Canvas:
    source = encode(Image.fromarray(place(*size)))
    canvas = open_canvas(source, shapes, EditOptions(**edit), rule or SizeRule(), LIMITS)
    canvas.control = open_control(source, canvas.source.size, LIMITS)
    return canvas


FAR = MaskShapes(boxes=((10, 10, 40, 30), (850, 560, 880, 590)))
RULES = {
    "at the source's scale": SizeRule(),
    "in shapes of 256": SizeRule(native_area=256 * 256, multiple_of=64, max_aspect=2),
    "padded squares": SizeRule(native_area=320 * 320, multiple_of=32, max_aspect=1),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fit", ["crop", "whole"])
def test_the_part_of_the_control_image_lies_where_the_part_of_the_source_does(rule: str, fit: str) -> None:
    canvas = opened(FAR, RULES[rule], fit=fit)
    assert len(canvas.windows) == (2 if fit == "crop" else 1)
    for number, window in enumerate(canvas.windows):
        image, _ = canvas.show(number)
        control = canvas.show_control(number)
        # The control image is the source itself: so must each of its parts be, resized and padded alike.
        assert control is not None and np.array_equal(control, image)
        assert control.shape[:2] == (window.size[1], window.size[0])
        canvas.take(number, image)


def test_of_two_windows_each_gets_its_own_pixels_exactly() -> None:
    canvas = opened(FAR)
    whole = place(900, 600)
    boxes = [window.box for window in canvas.windows]
    assert [tuple(box) for box in boxes] == [(0, 0, 72, 62), (818, 528, 900, 600)]
    for number, box in enumerate(boxes):
        wanted = whole[box.top : box.bottom, box.left : box.right]
        assert np.array_equal(np.asarray(canvas.show_control(number)), wanted)


def test_what_was_painted_before_does_not_show_in_the_control_image_of_a_later_window() -> None:
    canvas = opened(MaskShapes(boxes=((10, 10, 40, 30), (110, 10, 140, 30))), padding=100, fit="crop")
    for number in range(len(canvas.windows)):
        image, _ = canvas.show(number)
        before = np.asarray(canvas.show_control(number)).copy()
        canvas.take(number, np.zeros_like(image))
        assert np.array_equal(np.asarray(canvas.show_control(number)), before)


def test_a_control_image_of_half_the_size_is_laid_over_the_whole_source() -> None:
    canvas = opened(FAR)
    half = cv2.resize(place(900, 600), (450, 300), interpolation=cv2.INTER_AREA)
    canvas.control = open_control(encode(Image.fromarray(half)), canvas.source.size, LIMITS)
    control = np.asarray(canvas.show_control(1)).astype(int)
    # The far corner of the map, not that of a picture of 450 by 300: right of x = 767 and below y = 511, blue is 50.
    assert np.median(control[..., 2]) == 50
    assert np.abs(control[5:-5, 5:-5, 1] - place(900, 600)[533:595, 823:895, 1]).max() <= 2


@pytest.mark.parametrize("fit", ["crop", "whole"])
@pytest.mark.parametrize("size", [(900, 600), (450, 300)])
def test_a_pipeline_may_write_over_what_it_is_shown_of_the_control_image(fit: str, size: tuple[int, int]) -> None:
    canvas = opened(FAR, fit=fit)
    canvas.control = open_control(encode(make_image(*size)), canvas.source.size, LIMITS)
    before = np.asarray(canvas.control).copy()
    for one in (canvas, canvas.again()):
        for number in range(len(one.windows)):
            given = np.asarray(one.show_control(number))
            given[:] = 0
    assert np.array_equal(np.asarray(canvas.control), before)


def test_another_output_begins_with_nothing_painted_and_the_same_control_image() -> None:
    canvas = opened(FAR, keep_raw=True, feather=3)
    fresh = canvas.again()
    for one in (canvas, fresh):
        for number in range(len(one.windows)):
            image, region = one.show(number)
            assert region.any()
            one.take(number, 255 - image)
    second = canvas.again()
    first_result, other = canvas.result(), fresh.result()
    assert first_result.encoded.data == other.encoded.data and first_result.raw == other.raw
    assert first_result.fitting == other.fitting
    assert [kind for kind, _ in fresh.others()] == ["region", "raw", "raw-2"]
    assert [kind for kind, _ in second.others()] == ["region"] and second.pending.any()
    assert np.array_equal(second.picture, second.source.pixels)
    assert second.control is canvas.control
