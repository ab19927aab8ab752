from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from factories import LIMITS, encode, make_image, sideways
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from inpaint_core.errors import ImageError, ImageTooLarge, TooManyFrames, UnreadableImage
from inpaint_core.images import FORMATS, Limits, inspect_image, open_image
from inpaint_core.masks import inspect_mask
from inpaint_core.settings import load_settings
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])
def test_each_format_is_read_and_its_facts_are_told(kind: str) -> None:
    data = encode(make_image(), kind)
    facts = inspect_image(data, LIMITS)
    assert (facts.format, facts.width, facts.height, facts.mode) == (kind, 96, 64, "RGB")
    assert facts.sha256 == hashlib.sha256(data).hexdigest() and facts.size_bytes == len(data)
    assert (facts.extension, facts.media_type) == FORMATS[kind]
    assert facts.masked_pixels is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_each_mode_of_png_is_read(mode: str) -> None:
    image = make_image(mode="L").convert("I;16") if mode == "I;16" else make_image(mode=mode)
    assert inspect_image(encode(image), LIMITS).mode == mode


def test_a_cmyk_photo_is_read() -> None:
    assert inspect_image(encode(make_image(mode="CMYK"), "JPEG"), LIMITS).mode == "CMYK"


def test_a_photo_on_its_side_is_as_large_as_it_is_displayed() -> None:
    data = sideways(make_image(96, 64))
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.size == (64, 96)
    assert open_image(data, LIMITS).size == (96, 64)
    facts = inspect_image(data, LIMITS)
    assert (facts.width, facts.height, facts.format) == (96, 64, "JPEG")


def test_a_picture_that_a_camera_wrote_with_a_second_one_behind_it_is_a_jpeg() -> None:
    data = encode(make_image(), "MPO", save_all=True, append_images=[make_image(seed=1)])
    facts = inspect_image(data, LIMITS)
    assert (facts.format, facts.extension) == ("JPEG", "jpg")


# --- what is refused before a pixel is decoded ------------------------------------------------------------------------


def test_nothing_at_all_is_said_to_be_empty() -> None:
    with pytest.raises(UnreadableImage, match="The source is empty"):
        inspect_image(b"", LIMITS, "source")


@pytest.mark.parametrize(
    "data",
    [b"hello", b"\x00" * 100, encode(make_image(), "PPM")],
    ids=["text", "zeros", "ppm"],
)
def test_what_is_not_an_image_is_refused_with_its_first_bytes_and_the_formats_that_are(data: bytes) -> None:
    with pytest.raises(
        UnreadableImage, match=r"The mask is not an image that can be read .* Accepted: jpeg, png, webp"
    ):
        inspect_image(data, LIMITS, "mask")


def test_the_number_of_bytes_is_limited() -> None:
    data = encode(make_image())
    assert inspect_image(data, replace(LIMITS, max_bytes=len(data))).size_bytes == len(data)
    with pytest.raises(ImageTooLarge, match="INPAINT_MAX_IMAGE_BYTES") as caught:
        inspect_image(data, replace(LIMITS, max_bytes=len(data) - 1))
    assert caught.value.size_bytes == len(data) and caught.value.limit == len(data) - 1


def test_a_size_that_is_only_claimed_is_believed_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ImageTooLarge, match=r"is 3000x3000 \(9,000,000 pixels\); at most 4,000,000 pixels"):
        inspect_image(png_header(3000, 3000), LIMITS)
    with pytest.raises(ImageTooLarge, match="4,000 on a side"):
        inspect_image(png_header(5000, 1), LIMITS)


def test_a_decompression_bomb_is_refused_whatever_the_limit_is() -> None:
    generous = Limits(max_bytes=1 << 20, max_pixels=1 << 40, max_side=1 << 20)
    with pytest.raises(ImageTooLarge, match="INPAINT_MAX_IMAGE_PIXELS"):
        inspect_image(png_header(60_000, 60_000), generous)


def test_the_limits_themselves_are_allowed() -> None:
    image = make_image(96, 64)
    assert inspect_image(encode(image), Limits(1 << 20, 96 * 64, 96)).width == 96
    with pytest.raises(ImageTooLarge):
        inspect_image(encode(image), Limits(1 << 20, 96 * 64 - 1, 96))
    with pytest.raises(ImageTooLarge):
        inspect_image(encode(image), Limits(1 << 20, 96 * 64, 95))


def test_limits_come_from_the_settings() -> None:
    settings = load_settings(
        max_image_bytes=2048, max_image_pixels=7, max_image_side=3, max_image_frames=2, image_formats="png, JPEG"
    )
    assert Limits.of(settings) == Limits(2048, 7, 3, 2, ("png", "jpeg"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_an_animation_is_refused(kind: str) -> None:
    frames = [make_image(seed=seed) for seed in range(3)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(TooManyFrames, match=r"The source has several frames .*at most 1 is accepted") as caught:
        inspect_image(data, LIMITS)
    assert caught.value.limit == 1


# --- what turns out while decoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_truncated_file_says_so(kind: str) -> None:
    data = encode(make_image(), kind)
    with pytest.raises(UnreadableImage, match=r"truncated or damaged|not an image that can be read|is damaged or of"):
        inspect_image(data[: len(data) * 2 // 3], LIMITS)


def test_a_png_without_pixels_is_damaged() -> None:
    with pytest.raises(UnreadableImage, match="begins as a PNG but cannot be decoded"):
        inspect_image(png_header(8, 8), LIMITS)


_VALID = [
    encode(make_image(), "PNG"),
    sideways(make_image()),
    encode(make_image(), "WEBP"),
    encode(make_image(), "TIFF"),
    encode(make_image(), "BMP"),
    encode(make_image(mode="P"), "PNG"),
    encode(make_image(), "AVIF"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.sampled_from(_VALID),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    length=st.floats(0.1, 1),
)
@example(data=_VALID[3], changes=[(4, 255)], length=1.0)
def test_no_damage_leads_to_anything_but_a_picture_or_a_sentence(
    data: bytes, changes: list[tuple[int, int]], length: float
) -> None:
    damaged = bytearray(data[: int(len(data) * length)])
    for position, value in changes:
        damaged[position % len(damaged)] = value
    for inspect in (inspect_image, inspect_mask):
        with contextlib.suppress(ImageError):
            inspect(bytes(damaged), LIMITS)


# --- in threads -------------------------------------------------------------------------------------------------------


def test_opening_images_in_many_threads_leaves_pythons_warnings_as_they_were() -> None:
    pictures = [encode(make_image(300, 200, seed=seed), "JPEG") for seed in range(4)] + [b"no picture"]

    def look(number: int) -> None:
        with contextlib.suppress(ImageError):
            open_image(pictures[number % len(pictures)], LIMITS)

    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(look, range(1500)))
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)
