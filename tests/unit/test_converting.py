"""Results in the format that a file name asks for."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from factories import encode, make_image, make_mask
from inpaint_fleet.cli.converting import convert
from PIL import Image, ImageChops, ImageCms, ImageStat

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def deep_png() -> bytes:
    """A PNG with 16 bits for each colour, which Pillow cannot write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\x00" + bytes(range(48)) * 2
    header = struct.pack(">IIBBBBB", 16, 4, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 4)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("kind", "name"),
    [("PNG", "x.png"), ("PNG", "x.PNG"), ("JPEG", "x.jpg"), ("JPEG", "x.jpeg"), ("WEBP", "x.webp"), ("AVIF", "x.avif")],
)
def test_what_is_stored_so_is_written_as_it_is(kind: str, name: str) -> None:
    data = encode(make_image(), kind)
    assert convert(data, name) == (data, None)


@pytest.mark.parametrize("name", ["x", "x.result", "x.gif"])
def test_an_ending_that_says_nothing_changes_nothing(name: str) -> None:
    data = encode(make_image(), "JPEG")
    assert convert(data, name) == (data, None)


@pytest.mark.parametrize("data", [deep_png(), encode(Image.new("I;16", (8, 8), 300))])
def test_a_png_of_16_bits_stays_one(data: bytes) -> None:
    assert convert(data, "x.png") == (data, None)


@pytest.mark.parametrize("name", ["x.tif", "x.bmp"])
def test_formats_that_keep_every_pixel_lose_none(name: str) -> None:
    data, loss = convert(encode(make_image()), name)
    assert loss is None and opened(data).tobytes() == make_image().tobytes()


@pytest.mark.parametrize(("name", "kind"), [("x.jpg", "JPEG"), ("x.webp", "WEBP"), ("x.avif", "AVIF")])
def test_what_loses_a_little_says_so_and_keeps_the_profile(name: str, kind: str) -> None:
    data, loss = convert(encode(make_image(), icc_profile=PROFILE), name)
    image = opened(data)
    assert (image.format, image.info["icc_profile"]) == (kind, PROFILE)
    assert max(ImageStat.Stat(ImageChops.difference(image.convert("RGB"), make_image())).mean) < 8
    assert loss == f"{name} was written as {kind}, which is not exact; name it .png to keep every pixel"


def test_a_jpeg_has_white_where_the_result_is_transparent() -> None:
    picture = make_image().convert("RGBA")
    picture.putalpha(ImageChops.invert(make_mask()))
    data, loss = convert(encode(picture), "x.jpg")
    image = opened(data)
    assert image.mode == "RGB" and min(image.getpixel((48, 32))) > 250
    assert loss is not None and "has white for transparency" in loss
    assert opened(convert(encode(picture), "x.webp")[0]).getpixel((48, 32))[3] == 0


def test_grey_of_16_bits_becomes_the_same_grey_of_8() -> None:
    values = (0, 128 * 257, 65_535)
    image = Image.frombytes("I;16", (8, 3), b"".join(struct.pack("<H", value) * 8 for value in values))
    data, loss = convert(encode(image), "x.bmp")
    assert [opened(data).getpixel((0, y)) for y in range(3)] == [0, 128, 255]
    assert loss == "x.bmp was written as BMP and has 8 bits a channel; name it .png to keep every pixel"


def test_colours_of_16_bits_are_said_to_lose_them() -> None:
    assert convert(deep_png(), "x.tif")[1] == (
        "x.tif was written as TIFF and has 8 bits a channel; name it .png to keep every pixel"
    )


def test_from_one_lossy_format_to_another_the_way_back_is_told() -> None:
    assert convert(encode(make_image(), "JPEG"), "x.webp")[1] == (
        "x.webp was written as WEBP from JPEG; name it .jpeg for the bytes as stored"
    )
    assert convert(encode(make_image(), "JPEG"), "x.png")[1] == (
        "x.png was written as PNG, of what is stored as JPEG and not exact"
    )
