"""Putting content in: exact to the rounding, and nowhere but in the region."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_worker.geometry.stitch import put_in

_DEPTHS = [np.uint8, np.uint16]


def blended(old: int, new: int, weight: int, dtype: type[np.generic]) -> int:
    """What `put_in` makes of one pixel."""
    picture = np.full((1, 1, 3), old, dtype)
    put_in(picture, np.full((1, 1, 3), new, dtype), np.ones((1, 1), bool), np.full((1, 1), weight, np.uint16))
    assert (picture == picture[0, 0, 0]).all()
    return int(picture[0, 0, 0])


def exact(old: int, new: int, weight: int) -> int:
    """The same in fractions, rounded to the nearest; 65535 is odd, so that there are no halves."""
    share = Fraction(weight, 65_535)
    return round((1 - share) * old + share * new)


@pytest.mark.parametrize("dtype", _DEPTHS)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_blend_is_rounded_to_the_nearest(dtype: type[np.unsignedinteger[Any]], data: st.DataObject) -> None:
    values = st.integers(0, int(np.iinfo(dtype).max))
    old, new, weight = data.draw(values), data.draw(values), data.draw(st.integers(0, 65_535))
    assert blended(old, new, weight, dtype) == exact(old, new, weight)


@pytest.mark.parametrize("dtype", _DEPTHS)
def test_the_extremes_neither_overflow_nor_drift(dtype: type[np.unsignedinteger[Any]]) -> None:
    most = int(np.iinfo(dtype).max)
    for old in (0, 1, most // 2, most - 1, most):
        for new in (0, 1, most // 2, most - 1, most):
            for weight in (0, 1, 2, 32_767, 32_768, 65_533, 65_534, 65_535):
                assert blended(old, new, weight, dtype) == exact(old, new, weight)
        assert all(blended(old, old, weight, dtype) == old for weight in range(0, 65_536, 257))


@pytest.mark.parametrize("dtype", _DEPTHS)
@pytest.mark.parametrize("shape", [(7, 9, 3), (7, 9)])
def test_without_weights_what_is_marked_is_replaced_and_nothing_else(
    dtype: type[np.unsignedinteger[Any]], shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    old, new = (rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True) for _ in range(2))
    marked = rng.random((7, 9)) < 0.4
    picture = old.copy()
    put_in(picture, new, marked, None)
    assert np.array_equal(picture[marked], new[marked])
    assert np.array_equal(picture[~marked], old[~marked])


@pytest.mark.parametrize("shape", [(40, 50, 3), (40, 50)])
def test_what_is_not_marked_keeps_its_bits_whatever_its_weight(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    old, new = (rng.integers(0, 65_536, shape, np.uint16) for _ in range(2))
    marked = rng.random((40, 50)) < 0.5
    weights = rng.integers(0, 65_536, (40, 50), np.uint16)
    weights[:5] = 65_535
    picture = old.copy()
    put_in(picture, new, marked, weights)
    assert np.array_equal(picture[~marked], old[~marked])
    assert np.array_equal(picture[:5][marked[:5]], new[:5][marked[:5]])


def test_a_part_of_a_picture_is_written_in_place() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    put_in(picture[2:5, 3:7], np.full((4, 3, 3), 9, np.uint8).swapaxes(0, 1), np.ones((3, 4), bool), None)
    assert picture.sum() == 9 * 3 * 12 and picture[2, 3, 0] == picture[4, 6, 2] == 9
