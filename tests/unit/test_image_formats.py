"""Formats beyond the usual: AVIF, HEIC, what settings allow, and what is said of those that are never taken."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from factories import LIMITS, encode, make_image, make_mask, sideways
from heic import HEIC
from inpaint_core import images, unopened
from inpaint_core.errors import FormatRefused, SettingsInvalid, TooManyFrames, UnreadableImage
from inpaint_core.heic import is_sound
from inpaint_core.images import inspect_image, open_image
from inpaint_core.masks import inspect_mask
from inpaint_core.settings import IMAGE_FORMATS, load_settings
from PIL import Image, features

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


# --- AVIF -------------------------------------------------------------------------------------------------------------


@needs_avif
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_avif_is_read(mode: str) -> None:
    facts = inspect_image(encode(make_image(mode=mode), "AVIF"), LIMITS)
    assert (facts.format, facts.width, facts.height) == ("AVIF", 96, 64)
    assert (facts.extension, facts.media_type) == ("avif", "image/avif")


@needs_avif
def test_an_avif_may_be_a_mask() -> None:
    assert inspect_mask(encode(make_mask(), "AVIF", quality=90), LIMITS)[1] == pytest.approx(48 * 32, rel=0.05)


@needs_avif
def test_an_avif_on_its_side_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(make_image(96, 64).transpose(Image.Transpose.ROTATE_90), "AVIF", exif=exif)
    assert open_image(data, LIMITS).size == (96, 64)
    assert inspect_image(data, LIMITS).width == 96


@needs_avif
def test_an_avif_that_moves_is_refused() -> None:
    data = encode(make_image(), "AVIF", save_all=True, append_images=[make_image(seed=1)])
    with pytest.raises(TooManyFrames, match="2 or more"):
        inspect_image(data, LIMITS)
    assert inspect_image(data, replace(LIMITS, max_frames=2)).format == "AVIF"


# --- HEIC -------------------------------------------------------------------------------------------------------------


def test_a_heic_of_a_phone_is_read_and_turned_once() -> None:
    pytest.importorskip("pi_heif")
    facts = inspect_image(HEIC, LIMITS)
    assert (facts.format, facts.mode, facts.width, facts.height) == ("HEIF", "RGB", 48, 64)
    assert (facts.extension, facts.media_type) == ("heic", "image/heic")
    upright = open_image(HEIC, LIMITS)
    top, bottom = upright.getpixel((24, 4)), upright.getpixel((24, 60))
    assert top == pytest.approx((230, 200, 60), abs=8) and bottom == pytest.approx((40, 90, 160), abs=8)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_heic_says_so(share: float) -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(UnreadableImage, match=r"truncated or damaged|not an image that can be read"):
        inspect_image(HEIC[: int(len(HEIC) * share)], LIMITS)


def test_damage_that_would_end_the_process_is_refused_before() -> None:
    """Names of items that are no text crash pi-heif 1.4, and with it whoever looks at the picture."""
    pytest.importorskip("pi_heif")
    at = HEIC.index(b"Exif")
    for name in (b"E\xffif", b"\xc5xif", b"Exi\xe9"):
        with pytest.raises(UnreadableImage, match="its items have no readable names"):
            inspect_image(HEIC[:at] + name + HEIC[at + 4 :], LIMITS)
    assert is_sound(HEIC) and is_sound(b"") and is_sound(HEIC[:100]) and is_sound(encode(make_image(), "AVIF"))
    assert not is_sound(HEIC[:28] + b"\0\0\0\x08free" * 20_000)


def test_without_the_extra_a_heic_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unopened, "register_heic", lambda: False)
    monkeypatch.setattr(images, "_ready", lambda name: name != "HEIF")
    with pytest.raises(FormatRefused, match=r"The source is a HEIC, .* pip install 'inpaint-fleet\[heic\]'") as caught:
        inspect_image(HEIC, LIMITS, "source")
    assert caught.value.found == "heic" and caught.value.code == "image_format"


# --- what settings allow ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_format_that_the_settings_leave_out_is_refused_by_name(kind: str) -> None:
    data = encode(make_image(), kind)
    allowed = tuple(name for name in IMAGE_FORMATS if name != kind.lower())
    with pytest.raises(FormatRefused, match=rf"The mask is a {kind}, .* \(INPAINT_IMAGE_FORMATS\)") as caught:
        inspect_image(data, replace(LIMITS, formats=allowed), "mask")
    assert caught.value.found == kind.lower() and ", ".join(allowed) in caught.value.message
    assert inspect_image(data, replace(LIMITS, formats=(kind.lower(),))).format == kind


def test_a_heic_that_the_settings_leave_out_is_refused_by_name() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(FormatRefused, match=r"The source is a HEIC, which is not accepted here. Accepted: png"):
        inspect_image(HEIC, replace(LIMITS, formats=("png",)), "source")


def test_the_setting_takes_names_in_any_case_and_refuses_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_IMAGE_FORMATS", " PNG,jpeg, png")
    assert load_settings().image_formats == ("png", "jpeg")
    for wrong in ("png,gif", "jpg", ","):
        monkeypatch.setenv("INPAINT_IMAGE_FORMATS", wrong)
        with pytest.raises(SettingsInvalid, match=r"INPAINT_IMAGE_FORMATS.*must be some of jpeg, png, webp"):
            load_settings()


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_as_many_frames_as_the_settings_allow_are_taken_and_the_first_counts(kind: str) -> None:
    frames = [make_image(seed=seed) for seed in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with pytest.raises(TooManyFrames, match=r"The source has several frames \(3 or more\), and at most 2") as caught:
        inspect_image(data, replace(LIMITS, max_frames=2), "source")
    assert caught.value.code == "image_frames" and caught.value.limit == 2
    for enough in (3, 10_000):
        upright = open_image(data, replace(LIMITS, max_frames=enough))
        assert upright.convert("RGB").tobytes() == frames[0].tobytes()


def test_a_tiff_of_thousands_of_pages_is_refused_without_reading_them() -> None:
    """Each page only points at the next. Counting them would take minutes, for a file of some megabytes."""
    pages = 20_000
    entries = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1))
    size = 2 + 12 * len(entries) + 4
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8))
    for page in range(pages):
        following = 8 + (page + 1) * size if page + 1 < pages else 0
        data += struct.pack("<H", len(entries))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
        data += struct.pack("<I", following)
    with pytest.raises(TooManyFrames):
        inspect_image(bytes(data), LIMITS)


# --- what is never taken ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "an SVG"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="9"/>', "an SVG"),
        (b"\xef\xbb\xbf  <SVG/>", "an SVG"),
        (b"%PDF-1.7\n", "a PDF"),
        (encode(make_image(), "GIF"), "a GIF"),
        (encode(make_image(), "ICO"), "an icon"),
        (b"8BPS\x00\x01" + bytes(40), "a Photoshop document"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        (b"gimp xcf v011\x00", "a GIMP document"),
        (b"<!doctype HTML><title>not found</title>", "a web page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_people_send_that_is_never_taken_is_called_by_its_name(data: bytes, name: str) -> None:
    with pytest.raises(FormatRefused, match=f"The source is {name}, .* Accepted: jpeg, png, webp") as caught:
        inspect_image(data, LIMITS, "source")
    assert caught.value.found == name and caught.value.code == "image_format" and caught.value.exit_code == 2


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bits_a_pixel_are_refused_since_nothing_says_what_is_white(mode: str) -> None:
    with pytest.raises(UnreadableImage, match=r"32 bits a pixel.*Export it with 8 or 16 bits"):
        inspect_image(encode(Image.new(mode, (8, 8), 1), "TIFF"), LIMITS)


# --- what is taken although it is a little broken ---------------------------------------------------------------------


def test_a_photo_with_a_broken_colour_profile_is_taken() -> None:
    assert inspect_image(encode(make_image(), "JPEG", icc_profile=b"no profile" * 20), LIMITS).format == "JPEG"
    assert inspect_image(encode(make_image(), "PNG", icc_profile=b"no profile" * 20), LIMITS).format == "PNG"


def test_a_photo_with_broken_exif_is_taken() -> None:
    whole = sideways(make_image())
    at = whole.index(b"Exif\x00\x00") + 6
    broken = whole[:at] + b"\xff" * 12 + whole[at + 12 :]
    assert inspect_image(broken, LIMITS).format == "JPEG"


def test_a_small_file_of_many_pixels_is_refused_by_its_header() -> None:
    """A PNG of 20,000 x 20,000 black pixels that is whole, and smaller than a thumbnail."""
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(2501)) for _ in range(20_000)) + rows.flush()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    assert len(bomb) < 60_000
    with pytest.raises(images.ImageTooLarge, match="pixels"):
        inspect_image(bomb, LIMITS)
