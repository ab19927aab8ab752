"""The proof: one bit is enough to be found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_core.edit import EditOptions, OutputFormat
from inpaint_core.errors import PreservationFailed
from inpaint_worker.geometry.encode import Encoded, encode_png, encode_result
from inpaint_worker.geometry.verify import Wanted, count_changed_lossy, verify_exact
from pngs import RGB, RGBA, write_png
from profiles import rgb_profile

Array = npt.NDArray[Any]
_HEIGHT, _WIDTH = 600, 8


def picture(dtype: Any, channels: int = 4) -> Array:
    """Noise, of more rows than are compared at a time."""
    return np.random.default_rng(5).integers(0, np.iinfo(dtype).max, (_HEIGHT, _WIDTH, channels), dtype, endpoint=True)


def stored(samples: Array, writer: str = "by hand") -> Encoded:
    """The picture as an output."""
    rgb, alpha = samples[..., :3], samples[..., 3] if samples.shape[2] == 4 else None
    if writer == "by hand":
        data = write_png(samples, RGB if alpha is None else RGBA, samples.dtype.itemsize * 8)
    else:
        data = encode_png(rgb, alpha)
    return Encoded("result.png", "PNG", "image/png", data, samples.shape[1], samples.shape[0])


def wanted(source: Array, alpha: Array | None, marked: Array, picture: Array | None = None) -> Wanted:
    """What an output must be: `picture` (the source, if nothing was painted) with this transparency."""
    return Wanted(source, source if picture is None else picture, alpha, None, marked)


def region(*, box: tuple[int, int, int, int] = (2, 100, 6, 400)) -> Array:
    """What may change."""
    marked = np.zeros((_HEIGHT, _WIDTH), bool)
    left, top, right, bottom = box
    marked[top:bottom, left:right] = True
    return marked


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(
    row=st.integers(0, _HEIGHT - 1),
    column=st.integers(0, _WIDTH - 1),
    channel=st.integers(0, 3),
    bit=st.integers(0, 15),
)
@settings(max_examples=60, deadline=None)
def test_a_single_flipped_bit_outside_is_found(dtype: Any, row: int, column: int, channel: int, bit: int) -> None:
    source, marked = picture(dtype), region()
    changed = source.copy()
    changed[row, column, channel] ^= dtype(1 << bit % (dtype().itemsize * 8))
    given = (stored(changed), wanted(source[..., :3], source[..., 3], marked, changed[..., :3]))
    if marked[row, column] and channel < 3:
        assert verify_exact(*given) == 0
        return
    with pytest.raises(PreservationFailed, match=r"(1 pixels outside|The transparency) .* would have changed. Nothing"):
        verify_exact(*given)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("writer", ["by hand", "the worker's"])
def test_all_may_change_inside_and_every_change_outside_is_counted(dtype: Any, channels: int, writer: str) -> None:
    source, marked = picture(dtype, channels), region()
    alpha = source[..., 3] if channels == 4 else None
    changed = source.copy()
    changed[..., :3][marked] ^= dtype(255)
    assert verify_exact(stored(changed, writer), wanted(source[..., :3], alpha, marked, changed[..., :3])) == 0
    changed[..., :3] = source[..., :3] ^ dtype(1)
    outside = int((~marked).sum())
    with pytest.raises(PreservationFailed, match=f"{outside:,} pixels"):
        verify_exact(stored(changed, writer), wanted(source[..., :3], alpha, marked, changed[..., :3]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_was_painted_must_be_there(dtype: Any) -> None:
    source, marked = picture(dtype, 3), region()
    painted = source.copy()
    painted[marked] ^= dtype(255)
    lost = painted.copy()
    lost[200, 3, 1] ^= dtype(1)
    with pytest.raises(PreservationFailed, match="would not have been what was painted"):
        verify_exact(stored(lost), wanted(source, None, marked, painted))


def test_the_colour_profile_must_be_there() -> None:
    source, profile = picture(np.uint8, 3), rgb_profile()
    with pytest.raises(PreservationFailed, match="colour profile of the picture would have been lost"):
        verify_exact(stored(source), Wanted(source, source, None, profile, region()))
    data = encode_png(source, None, profile)
    assert verify_exact(replace(stored(source), data=data), Wanted(source, source, None, profile, region())) == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_must_be_as_wanted_inside_the_region_too(dtype: Any) -> None:
    source = picture(dtype)
    alpha = source[..., 3].copy()
    alpha[200, 3] ^= dtype(1)
    with pytest.raises(PreservationFailed, match="The transparency"):
        verify_exact(stored(source), wanted(source[..., :3], alpha, region()))


@pytest.mark.parametrize(
    "other",
    [
        picture(np.uint8, 3),
        picture(np.uint16, 4),
        picture(np.uint16, 3)[:-1],
        picture(np.uint16, 3)[:, :-1],
        picture(np.uint16, 3).swapaxes(0, 1),
    ],
)
def test_another_size_depth_or_transparency_is_refused(other: Array) -> None:
    source = picture(np.uint16, 3)
    with pytest.raises(PreservationFailed, match=r"would have been|could not be decoded"):
        verify_exact(stored(np.ascontiguousarray(other)), wanted(source, None, region()))


def test_transparency_that_got_lost_is_refused() -> None:
    source = picture(np.uint8)
    with pytest.raises(PreservationFailed, match=r"8x600 RGB of 8 bits, and the source is 8x600 RGBA of 8 bits"):
        verify_exact(stored(source[..., :3]), wanted(source[..., :3], source[..., 3], region()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kept", [0, 20, 60, 5000])
def test_an_output_that_is_cut_off_is_refused(dtype: Any, kept: int) -> None:
    source = picture(dtype, 3)
    whole = stored(source)
    with pytest.raises(PreservationFailed, match="could not be decoded"):
        verify_exact(replace(whole, data=whole.data[:kept]), wanted(source, None, region()))
    lossy = encode_result(source, None, None, EditOptions(format=OutputFormat.WEBP))
    with pytest.raises(PreservationFailed, match="could not be decoded"):
        count_changed_lossy(replace(lossy, data=lossy.data[: kept // 100]), wanted(source, None, region()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_output_with_loss_is_counted_and_not_refused(dtype: Any) -> None:
    source, marked = picture(dtype, 3), region()
    encoded = encode_result(source, None, None, EditOptions(format=OutputFormat.JPEG, quality=10))
    changed = count_changed_lossy(encoded, wanted(source, None, marked))
    assert 0.9 * (~marked).sum() < changed <= (~marked).sum()
    flat = np.full_like(source, np.iinfo(dtype).max)
    assert (
        count_changed_lossy(encode_result(flat, None, None, EditOptions(format="jpeg")), wanted(flat, None, marked))
        == 0
    )


def test_transparency_counts_in_an_output_with_loss() -> None:
    marked, source = region(), np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    alpha = np.full((_HEIGHT, _WIDTH), 255, np.uint8)
    encoded = encode_result(source, alpha, None, EditOptions(format="webp"))
    assert count_changed_lossy(encoded, wanted(source, alpha, marked)) == 0
    assert count_changed_lossy(encoded, wanted(source, alpha - 9, marked)) == int((~marked).sum())


def test_a_jpeg_is_compared_with_the_picture_on_white() -> None:
    marked, source = region(), np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)  # black, and all of it transparent
    alpha = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    encoded = encode_result(source, alpha, None, EditOptions(format="jpeg"))
    assert count_changed_lossy(encoded, wanted(source, alpha, marked)) == 0
