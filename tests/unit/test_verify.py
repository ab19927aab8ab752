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
from inpaint_worker.geometry.verify import count_changed_lossy, verify_exact
from pngs import RGB, RGBA, write_png

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
    given = (stored(changed), source[..., :3], source[..., 3], marked)
    if marked[row, column] and channel < 3:
        assert verify_exact(*given) == 0
        return
    with pytest.raises(PreservationFailed, match=r"1 pixels outside .* would have changed. Nothing was stored"):
        verify_exact(*given)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("writer", ["by hand", "the worker's"])
def test_all_may_change_inside_and_every_change_outside_is_counted(dtype: Any, channels: int, writer: str) -> None:
    source, marked = picture(dtype, channels), region()
    alpha = source[..., 3] if channels == 4 else None
    changed = source.copy()
    changed[..., :3][marked] ^= dtype(255)
    assert verify_exact(stored(changed, writer), source[..., :3], alpha, marked) == 0
    changed[..., :3] = source[..., :3] ^ dtype(1)
    outside = int((~marked).sum())
    with pytest.raises(PreservationFailed, match=f"{outside:,} pixels"):
        verify_exact(stored(changed, writer), source[..., :3], alpha, marked)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_must_be_as_wanted_inside_the_region_too(dtype: Any) -> None:
    source = picture(dtype)
    wanted = source[..., 3].copy()
    wanted[200, 3] ^= dtype(1)
    with pytest.raises(PreservationFailed):
        verify_exact(stored(source), source[..., :3], wanted, region())


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
        verify_exact(stored(np.ascontiguousarray(other)), source, None, region())


def test_transparency_that_got_lost_is_refused() -> None:
    source = picture(np.uint8)
    with pytest.raises(PreservationFailed, match=r"8x600 RGB of 8 bits, and the source is 8x600 RGBA of 8 bits"):
        verify_exact(stored(source[..., :3]), source[..., :3], source[..., 3], region())


def test_a_deep_output_that_is_cut_off_is_refused() -> None:
    source = picture(np.uint16, 3)
    whole = stored(source)
    with pytest.raises(PreservationFailed):
        verify_exact(replace(whole, data=whole.data[:60]), source, None, region())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_output_with_loss_is_counted_and_not_refused(dtype: Any) -> None:
    source, marked = picture(dtype, 3), region()
    encoded = encode_result(source, None, None, EditOptions(format=OutputFormat.JPEG, quality=10))
    changed = count_changed_lossy(encoded, source, marked)
    assert 0.9 * (~marked).sum() < changed <= (~marked).sum()
    flat = np.full_like(source, np.iinfo(dtype).max)
    assert count_changed_lossy(encode_result(flat, None, None, EditOptions(format="jpeg")), flat, marked) == 0
