"""Cases with known answers: turned pictures, odd masks, and which windows an edit is painted in."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode
from inpaint_core.edit import Box, EditOptions, MaskShapes
from inpaint_core.images import Limits
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from inpaint_worker.geometry.region import cut
from PIL import Image
from pngs import RGB, exif, read_png, write_png
from tiffs import write_tiff

Array = npt.NDArray[Any]
SDXL = SizeRule(multiple_of=64, native_area=1024**2)
TINY = SizeRule(multiple_of=8, native_area=64**2)
LARGE = Limits(max_bytes=64 << 20, max_pixels=13_000_000, max_side=4_000)


def turned(stored: Array, orientation: int) -> Array:
    """As displayed, after EXIF 2.32, section 4.6.4: where the first row and the first column are seen."""
    return {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation](stored)


def photo(width: int = 48, height: int = 32) -> Array:
    """Blocks of 8 pixels, no two alike: every format keeps their places."""
    blocks = np.random.default_rng(4).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


def as_file(kind: str, pixels: Array, orientation: int) -> bytes:
    """A file in which `pixels` lie as given, and which says how to turn them."""
    deep = pixels.astype(np.uint16) * np.uint16(257)
    if kind.startswith("tiff"):
        return write_tiff(deep if kind == "tiff 16" else pixels, orientation=orientation)
    if kind.startswith("png"):
        bits = 16 if kind == "png 16" else 8
        return write_png(deep if bits == 16 else pixels, RGB, bits, orientation=orientation)
    options: dict[str, Any] = {"quality": 95} if kind in ("jpeg", "avif") else {"lossless": True}
    return encode(Image.fromarray(pixels), kind.upper(), exif=b"Exif\0\0" + exif(orientation), **options)


def after_noise(canvas: Canvas) -> tuple[Array, Array | None, bytes]:
    """What is stored once a model has returned noise for every window."""
    rng = np.random.default_rng(9)
    for number in range(len(canvas.windows)):
        seen, _ = canvas.show(number)
        canvas.take(number, rng.integers(0, 256, seen.shape, np.uint8))
    return read_png(canvas.result().encoded.data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "png 16", "webp", "tiff", "tiff 16", "avif"])
def test_picture_and_mask_are_turned_as_people_see_them(kind: str, orientation: int) -> None:
    mask = np.zeros((32, 48, 3), np.uint8)
    mask[8:16, 24:48] = 255
    source, drawn = as_file(kind, photo(), orientation), as_file(kind, mask, orientation)
    canvas = open_canvas(source, drawn, EditOptions(), TINY, LIMITS)
    marked = turned(mask[..., 0], orientation) > 0
    assert np.array_equal(canvas.region.marked, marked)
    lies = open_canvas(as_file(kind, photo(), 1), as_file(kind, mask, 1), EditOptions(), TINY, LIMITS).source.pixels
    wanted = turned(lies, orientation)
    found, _, _ = after_noise(canvas)
    assert np.array_equal(found[~marked], wanted[~marked])
    near = found // (257 if found.dtype == np.uint16 else 1)
    assert np.abs(near[~marked].astype(int) - turned(photo(), orientation)[~marked]).mean() < 16
    assert ("orientation" in canvas.source.normalised) is (orientation != 1)


@pytest.mark.parametrize("place", [(0, 0), (47, 0), (0, 31), (47, 31), (20, 15)])
@pytest.mark.parametrize("rule", [SizeRule(), TINY, SDXL])
def test_a_mask_of_one_pixel_changes_one_pixel(place: tuple[int, int], rule: SizeRule) -> None:
    column, row = place
    shape = MaskShapes(boxes=((column, row, column + 1, row + 1),))
    canvas = open_canvas(write_png(photo(), RGB), shape, EditOptions(), rule, LIMITS)
    assert any("only 1 of" in warning for warning in canvas.warnings)
    (window,) = canvas.windows
    _, marked = canvas.show(0)
    assert marked.any() and not marked.all()
    canvas.take(0, np.full((window.size[1], window.size[0], 3), 200, np.uint8))
    found, _, _ = read_png(canvas.result().encoded.data)
    assert (found[row, column] == 200).all()
    found[row, column] = photo()[row, column]
    assert np.array_equal(found, photo())


@pytest.mark.parametrize("feather", [0, 3])
def test_a_frame_along_all_four_borders_is_painted_and_its_middle_is_preserved(feather: float) -> None:
    mask = np.full((32, 48), 255, np.uint8)
    mask[10:20, 10:30] = 0
    edit = EditOptions(feather=feather)
    canvas = open_canvas(write_png(photo(), RGB), encode(Image.fromarray(mask)), edit, TINY, LIMITS)
    found, _, _ = after_noise(canvas)
    assert np.array_equal(found[mask == 0], photo()[mask == 0])
    assert (found[0] != photo()[0]).any(axis=1).mean() > 0.9


def large(*boxes: tuple[int, int, int, int], rule: SizeRule = SDXL, **edit: Any) -> Canvas:
    """A black picture of 12 megapixels with an edit."""
    data = encode(Image.new("L", (4000, 3000)), compress_level=1)
    return open_canvas(data, MaskShapes(boxes=boxes), EditOptions(**edit), rule, LARGE)


def test_two_regions_far_apart_are_painted_one_by_one_in_full_detail() -> None:
    first, second = Box(100, 100, 400, 400), Box(3500, 2500, 3900, 2900)
    canvas = large(first, second)
    assert [window.target for window in canvas.windows] == [first, second]
    assert all(window.scale >= 1 for window in canvas.windows)


def test_two_regions_side_by_side_share_a_window() -> None:
    (window,) = large((100, 100, 300, 300), (400, 150, 600, 350)).windows
    assert window.target == (100, 100, 600, 350)
    assert window.scale >= 1


def test_a_model_of_any_size_paints_far_regions_one_by_one_too() -> None:
    assert len(large((100, 100, 400, 400), (3500, 2500, 3900, 2900), rule=SizeRule()).windows) == 2


@pytest.mark.parametrize("rule", [SizeRule(), TINY, SDXL])
@pytest.mark.parametrize("count", [500, 20_000])
def test_specks_all_over_a_large_picture_are_painted_in_a_few_windows(rule: SizeRule, count: int) -> None:
    mask = np.zeros((3000, 4000), bool)
    rng = np.random.default_rng(count)
    mask[rng.integers(0, 3000, count), rng.integers(0, 4000, count)] = True
    source = np.full((3000, 4000), 90, np.uint8)
    started = time.monotonic()
    canvas = open_canvas(encode(Image.fromarray(source)), encode(Image.fromarray(mask)), EditOptions(), rule, LARGE)
    assert time.monotonic() - started < 20
    assert 1 <= len(canvas.windows) <= 8
    covered = np.zeros_like(mask)
    for window in canvas.windows:
        covered[cut(window.target)] = True
    assert covered[mask].all()


def test_specks_are_all_repainted_and_nothing_else_is() -> None:
    mask = np.zeros((600, 800), bool)
    rng = np.random.default_rng(8)
    mask[rng.integers(0, 600, 500), rng.integers(0, 800, 500)] = True
    source = np.full((600, 800, 3), 90, np.uint8)
    canvas = open_canvas(encode(Image.fromarray(source)), encode(Image.fromarray(mask)), EditOptions(), TINY, LIMITS)
    assert len(canvas.windows) <= 8
    for number, window in enumerate(canvas.windows):
        canvas.show(number)
        canvas.take(number, np.full((window.size[1], window.size[0], 3), 200, np.uint8))
    found, _, _ = read_png(canvas.result().encoded.data)
    assert np.array_equal(found, np.where(mask, 200, 90)[..., None].repeat(3, axis=2))


FIRST, SECOND = Box(300, 300, 460, 460), Box(480, 300, 640, 460)


def neighbours() -> Canvas:
    """Two regions that are each in the other's window, of a model that is too small for both."""
    rule = SizeRule(multiple_of=8, native_area=256**2)
    data = encode(Image.new("RGB", (1200, 800)))
    return open_canvas(data, MaskShapes(boxes=(FIRST, SECOND)), EditOptions(), rule, LIMITS)


def test_the_second_window_shows_what_was_painted_in_the_first() -> None:
    canvas = neighbours()
    first, second = canvas.windows
    assert (first.target & second.box).area and (second.target & first.box).area
    before, mask = canvas.show(1)
    assert before.max() == 0
    still_due = mask.sum()
    seen, mask = canvas.show(0)
    assert mask.sum() > seen.shape[0] * 0.1
    canvas.take(0, np.full_like(seen, 255))
    after, mask = canvas.show(1)
    assert after.max() > 200
    # What is painted is no longer masked, so that the model may go on from it.
    assert 0 < mask.sum() < still_due
    canvas.take(1, np.full_like(after, 100))
    found, _, _ = read_png(canvas.result().encoded.data)
    assert (found[cut(FIRST)] == 255).all() and (found[cut(SECOND)] == 100).all()
    assert found.sum(dtype=int) == 160 * 160 * 3 * (255 + 100)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda seen: seen[:-1],
        lambda seen: seen[..., :1],
        lambda seen: seen.astype(np.float32),
        lambda seen: seen.astype(np.uint16),
    ],
)
def test_a_model_that_returns_another_shape_or_type_is_found_out(wrong: Any) -> None:
    canvas = neighbours()
    seen, _ = canvas.show(0)
    with pytest.raises(ValueError, match=r"expected \d+x\d+x3 uint8"):
        canvas.take(0, wrong(seen))


def test_a_model_may_return_a_view_of_something_else() -> None:
    canvas = neighbours()
    for number in range(2):
        seen, _ = canvas.show(number)
        canvas.take(number, np.dstack([seen, seen])[::-1, ::-1, 5:2:-1])
    assert canvas.result().exact
