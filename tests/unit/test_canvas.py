"""The picture of a job: what the model sees, and what is put back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from factories import LIMITS, encode, make_image, make_mask, sideways
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_core.errors import MaskSizeMismatch
from inpaint_worker.geometry.canvas import composite, open_canvas
from inpaint_worker.geometry.encode import encode_png
from PIL import Image


@given(
    width=st.integers(2, 90),
    height=st.integers(2, 90),
    mode=st.sampled_from(["RGB", "RGBA", "L", "LA", "P"]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_outside_the_mask_the_decoded_output_equals_the_decoded_source(
    width: int, height: int, mode: str, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left, width - 1))
    bottom = data.draw(st.integers(top, height - 1))
    if (left, top, right, bottom) == (0, 0, width - 1, height - 1):
        right -= 1
        left = min(left, right)
    mask = make_mask(width, height, (left, top, right, bottom))
    source = make_image(width, height, mode)
    canvas = open_canvas(encode(source), encode(mask), LIMITS)
    noise = np.random.default_rng(1).integers(0, 256, canvas.pixels.shape, np.uint8)
    with Image.open(io.BytesIO(encode_png(composite(canvas, noise)))) as output:
        wanted = source.convert("RGBA" if mode in ("RGBA", "LA") else "RGB")
        assert output.mode == wanted.mode
        outside = np.asarray(mask) == 0
        assert np.array_equal(np.asarray(output)[outside], np.asarray(wanted)[outside])
        assert np.array_equal(np.asarray(output)[~outside][..., :3], noise[~outside])


def test_a_sideways_photo_is_turned_upright_and_its_mask_is_as_people_see_it() -> None:
    upright = make_image(40, 60)
    canvas = open_canvas(sideways(upright), encode(make_mask(40, 60)), LIMITS)
    assert canvas.pixels.shape == (60, 40, 3)
    assert np.abs(canvas.pixels.astype(int) - np.asarray(upright)).mean() < 20


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(MaskSizeMismatch, match=r"30x20.*40x60"):
        open_canvas(encode(make_image(40, 60)), encode(make_mask(30, 20)), LIMITS)


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64 * 64, dtype=np.uint16).reshape(64, 64)
    canvas = open_canvas(encode(Image.fromarray(ramp)), encode(make_mask(64, 64)), LIMITS)
    assert canvas.pixels.max() == 255
    assert 100 < canvas.pixels.mean() < 155


@pytest.mark.parametrize("wrong", [np.zeros((60, 40, 4), np.uint8), np.zeros((60, 40, 3), np.float32)])
def test_a_pipeline_that_returns_something_else_is_found_out(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    canvas = open_canvas(encode(make_image(40, 60)), encode(make_mask(40, 60)), LIMITS)
    with pytest.raises(ValueError, match="The pipeline returned"):
        composite(canvas, wrong)
