"""What is stored, as other decoders read it."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from factories import LIMITS, encode, make_image, make_mask
from inpaint_core.edit import EditOptions, OutputFormat
from inpaint_core.size import SizeRule
from inpaint_worker.geometry.canvas import Result, open_canvas
from inpaint_worker.geometry.encode import encode_png, encode_raw, encode_region, encode_result, on_white
from PIL import Image
from pngs import read_png
from profiles import rgb_profile

Array = npt.NDArray[Any]
_LOSSY = [OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF]


def noise(*shape: int, dtype: Any = np.uint8) -> Array:
    """Samples that no filter and no compression knows beforehand."""
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("profile", [None, rgb_profile(), rgb_profile() + bytes(3), rgb_profile(name="long" * 20_000)])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (33, 47)])
def test_a_png_holds_every_bit_and_the_profile(
    dtype: Any, has_alpha: bool, profile: bytes | None, size: tuple[int, int]
) -> None:
    pixels, alpha = noise(*size, 3, dtype=dtype), noise(*size, dtype=dtype) if has_alpha else None
    found, transparency, stored = read_png(encode_png(pixels, alpha, profile))
    assert found.dtype == dtype and np.array_equal(found, pixels)
    assert (transparency is None) is not has_alpha
    assert alpha is None or np.array_equal(transparency, alpha)
    assert stored == (profile or b"")


def test_a_deep_png_with_a_profile_is_read_by_the_usual_decoders() -> None:
    pixels, alpha, profile = noise(20, 30, 3, dtype=np.uint16), noise(20, 30, dtype=np.uint16), rgb_profile()
    data = encode_png(pixels, alpha, profile)
    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(planes[..., [2, 1, 0, 3]], np.dstack([pixels, alpha]))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == profile
        assert (image.mode, image.size) == ("RGBA", (30, 20))
        assert np.array_equal(np.asarray(image), np.dstack([pixels, alpha]) >> 8)


def test_colours_under_full_transparency_are_kept() -> None:
    pixels = noise(9, 9, 3)
    found, alpha, _ = read_png(encode_png(pixels, np.zeros((9, 9), np.uint8)))
    assert np.array_equal(found, pixels) and not alpha.any()


@pytest.mark.parametrize(
    "array", [noise(12, 8, 3)[::-1, ::2], noise(8, 12, 3).swapaxes(0, 1), noise(12, 8, 4)[..., :3]]
)
def test_views_of_larger_arrays_are_written_as_they_look(array: Array) -> None:
    assert np.array_equal(read_png(encode_png(array))[0], array)


def test_the_region_is_a_mask_of_one_bit() -> None:
    marked = noise(13, 21) > 100
    encoded = encode_region(marked)
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert image.mode == "1"
        assert np.array_equal(np.asarray(image), marked)
    assert (encoded.name, encoded.width, encoded.height) == ("region.png", 21, 13)


def test_what_a_model_returned_is_stored_by_number() -> None:
    assert [encode_raw(noise(4, 6, 3), number).name for number in (1, 2, 8)] == ["raw.png", "raw-2.png", "raw-8.png"]
    assert np.array_equal(read_png(encode_raw(noise(4, 6, 3), 1).data)[0], noise(4, 6, 3))


def smooth(dtype: Any = np.uint8) -> Array:
    """A picture that lossy formats do well on."""
    return np.asarray(make_image(96, 64)).astype(dtype) * dtype(257 if dtype == np.uint16 else 1)


@pytest.mark.parametrize("kind", _LOSSY)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_lossy_output_has_its_size_name_profile_and_about_its_colours(kind: OutputFormat, dtype: Any) -> None:
    profile = rgb_profile()
    encoded = encode_result(smooth(dtype), None, profile, EditOptions(format=kind))
    assert (encoded.width, encoded.height) == (96, 64)
    assert encoded.media_type == f"image/{kind.value}"
    assert encoded.name == {"jpeg": "result.jpg"}.get(kind.value, f"result.{kind.value}")
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert (image.format, image.mode, image.size) == (encoded.format, "RGB", (96, 64))
        assert image.info["icc_profile"] == profile
        assert np.abs(np.asarray(image).astype(int) - smooth()).mean() < 4


@pytest.mark.parametrize("kind", _LOSSY)
def test_quality_is_what_the_size_depends_on(kind: OutputFormat) -> None:
    sizes = [len(encode_result(smooth(), None, None, EditOptions(format=kind, quality=q)).data) for q in (10, 60, 98)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_jpeg_puts_what_is_transparent_on_white(dtype: Any) -> None:
    most = np.iinfo(dtype).max
    pixels, alpha = np.zeros((32, 48, 3), dtype), np.full((32, 48), most, dtype)
    alpha[:, :16], alpha[:, 32:] = 0, most // 2
    encoded = encode_result(pixels, alpha, None, EditOptions(format="jpeg", quality=100))
    with Image.open(io.BytesIO(encoded.data)) as image:
        found = np.asarray(image).astype(int)
    assert (np.abs(found[:, :15] - 255) < 4).all()
    assert (found[:, 17:31] < 4).all()
    assert (np.abs(found[:, 34:] - 128) < 4).all()


@pytest.mark.parametrize("kind", [OutputFormat.WEBP, OutputFormat.AVIF])
def test_webp_and_avif_keep_transparency(kind: OutputFormat) -> None:
    alpha = np.zeros((64, 96), np.uint8)
    alpha[:, 48:] = 255
    encoded = encode_result(smooth(), alpha, None, EditOptions(format=kind))
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert image.mode == "RGBA"
        assert np.abs(np.asarray(image)[..., 3].astype(int) - alpha).max() < 12


@pytest.mark.parametrize("opacity", [0, 1, 127, 128, 254, 255])
def test_on_white_is_rounded_to_the_nearest(opacity: int) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    found = on_white(pixels, np.full((16, 16), opacity, np.uint8))
    wanted = (pixels.astype(float) * opacity + 255.0 * (255 - opacity)) / 255
    assert np.abs(found - wanted).max() <= 0.5


def done(kind: OutputFormat, source: bytes) -> tuple[Result, dict[str, Any]]:
    """A job that is stored in this format, and what it changed on reading."""
    canvas = open_canvas(source, encode(make_mask()), EditOptions(format=kind), SizeRule(), LIMITS)
    canvas.take(0, canvas.show(0)[0])
    return canvas.result(), canvas.source.normalised


@pytest.mark.parametrize("kind", OutputFormat)
def test_only_png_is_said_to_be_exact(kind: OutputFormat) -> None:
    result, normalised = done(kind, encode(make_image()))
    assert result.exact is (kind is OutputFormat.PNG)
    assert (result.outside_changed_pixels == 0) is result.exact
    assert "bits" not in normalised and "transparency" not in normalised


@pytest.mark.parametrize("kind", _LOSSY)
def test_a_lossy_output_says_what_it_cannot_hold(kind: OutputFormat) -> None:
    deep = encode_png(smooth(np.uint16), np.full((64, 96), 65_535, np.uint16))
    result, normalised = done(kind, deep)
    assert (result.encoded.width, result.encoded.height) == (96, 64)
    assert normalised["bits"] == {"before": 16, "after": 8}
    assert ("transparency" in normalised) is (kind is OutputFormat.JPEG)


def test_webp_keeps_the_colours_under_full_transparency() -> None:
    encoded = encode_result(smooth(), np.zeros((64, 96), np.uint8), None, EditOptions(format="webp"))
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert np.abs(np.asarray(image)[..., :3].astype(int) - smooth()).mean() < 6
