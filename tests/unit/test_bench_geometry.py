"""The measurement of the geometry measures what it says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from factories import encode, make_image
from inpaint_benchmark.geometry import steps
from inpaint_benchmark.geometry.encoders import encoders
from inpaint_benchmark.geometry.report import measure_geometry
from inpaint_benchmark.geometry.scene import make_scene
from PIL import Image, ImageChops


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photo to measure with."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode(make_image(96, 72)))
    return path


def test_both_implementations_take_the_same_steps(picture: Path) -> None:
    scene = make_scene(picture, 120, 90)
    for implementation in steps.IMPLEMENTATIONS.values():
        assert [step for step in implementation(scene) if step != "model"] == list(steps.STEPS)


def test_the_naive_one_finds_out_what_changed_outside(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(picture, 120, 90)
    monkeypatch.setattr(steps.ImageChops, "multiply", lambda one, _other: one)  # nothing is masked any more
    with pytest.raises(RuntimeError, match="outside the mask have changed"):
        list(steps.naive(scene))


def test_a_quick_run_tells_ratios_memory_and_encoders(picture: Path) -> None:
    lines: list[str] = []
    found = measure_geometry(picture, lines.append, quick=True)
    (size,) = found["sizes"]
    assert size["ratio"] == pytest.approx(sum(size["fleet"]["cpu_ms"].values()) / sum(size["naive"]["cpu_ms"].values()))
    assert {encoder["name"] for encoder in found["encoders"]} == {name for name, _ in encoders()}
    assert any("aim at 12 megapixels: 0.17" in line for line in lines)


def test_every_encoder_that_is_installed_loses_nothing() -> None:
    image = make_image(64, 48)
    import numpy as np

    for name, encode_one in encoders():
        if encode_one is not None:
            with Image.open(io.BytesIO(encode_one(np.asarray(image)))) as decoded:
                assert ImageChops.difference(decoded.convert("RGB"), image).getbbox() is None, name
