"""Colour profiles that nobody should send: what they say of themselves is fit to be stored and shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from factories import LIMITS, encode, make_image
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import ImageTooLarge, UnreadableImage
from inpaint_core.images import MOST_PROFILE_BYTES, inspect_image
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from pngs import read_png
from profiles import grey_profile, renamed, rgb_profile, scanner_profile, spaced

BOX = MaskShapes(boxes=((10, 10, 40, 30),))
NAMES = {
    "NUL": "A\0B",
    "an escape": "A\x1b[31mB\x07",
    "half a character": b"\0A\xd8\x00\0B",
    "half a megabyte": "A" * 500_000,
    "nothing but spaces": "   ",
    "letters of the right": "\u202eABC\u2066",
}


def opened(data: bytes) -> Canvas:
    return open_canvas(data, BOX, EditOptions(), SizeRule(), LIMITS)


def painted(data: bytes) -> bytes:
    """What is stored after a model that does nothing."""
    canvas = opened(data)
    canvas.take(0, canvas.show(0)[0])
    return canvas.result().encoded.data


def texts(value: object) -> Iterator[str]:
    """Every text in what an attempt says of its source."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from texts(list(pair))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def says_only_what_can_be_shown(canvas: Canvas) -> None:
    said = list(texts(canvas.source.normalised))
    assert [text for text in said if not text or not text.isprintable() or len(text) > 100] == []
    assert [text for text in canvas.warnings if not text.isprintable() or len(text) > 200] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_grey_profile_is_noted_as_far_as_it_can_be_shown(name: str) -> None:
    canvas = opened(encode(make_image(mode="L"), icc_profile=renamed(grey_profile(), NAMES[name])))
    says_only_what_can_be_shown(canvas)
    assert canvas.source.normalised["profile"]["after"] == "sRGB"


@pytest.mark.parametrize("name", NAMES)
def test_so_is_the_name_of_a_profile_that_goes_one_way(name: str) -> None:
    canvas = opened(encode(make_image(), icc_profile=renamed(scanner_profile(), NAMES[name])))
    says_only_what_can_be_shown(canvas)
    assert canvas.source.normalised["profile"]["after"] == "sRGB"


@pytest.mark.parametrize("space", [b"\0\1\2\3", b"A\0B\0", b"\x1b[1m", b"\xff\xfe\xfd\xfc", b"    ", b"Lab "])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_profile_for_no_colours_that_exist_is_dropped_with_a_warning(mode: str, space: bytes) -> None:
    canvas = opened(encode(make_image(mode=mode), "TIFF", icc_profile=spaced(rgb_profile(), space)))
    says_only_what_can_be_shown(canvas)
    [warning] = canvas.warnings
    assert warning.startswith("The colour profile of the source cannot be used: it is ")
    assert warning.endswith(". It was taken for sRGB.") and canvas.source.profile is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_the_largest_profile_that_is_taken_comes_out_as_it_went_in(kind: str) -> None:
    profile = rgb_profile(size=MOST_PROFILE_BYTES)
    assert len(profile) == MOST_PROFILE_BYTES
    assert read_png(painted(encode(make_image(), kind, icc_profile=profile)))[2] == profile


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_larger_one_is_refused_with_both_numbers(kind: str) -> None:
    data = encode(make_image(), kind, icc_profile=rgb_profile(size=MOST_PROFILE_BYTES + 4))
    with pytest.raises(ImageTooLarge, match=r"has 1,048,580 bytes; at most 1,048,576 are accepted") as caught:
        inspect_image(data, LIMITS)
    assert (caught.value.facts["size_bytes"], caught.value.facts["limit"]) == (1_048_580, 1_048_576)


def test_a_png_with_a_larger_one_cannot_be_opened_and_says_that_it_is_a_png() -> None:
    data = encode(make_image(), icc_profile=rgb_profile(size=MOST_PROFILE_BYTES + 4))
    with pytest.raises(UnreadableImage, match="begins as a PNG but cannot be opened"):
        inspect_image(data, LIMITS)


def test_a_profile_that_claims_to_be_longer_than_it_is_does_no_harm() -> None:
    profile = struct.pack(">I", 1 << 31) + rgb_profile()[4:]
    says_only_what_can_be_shown(opened(encode(make_image(), "JPEG", icc_profile=profile)))
