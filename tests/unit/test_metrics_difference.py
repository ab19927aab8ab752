"""Differences outside and to the ground truth, beside numbers that were worked out by hand or by another library."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_benchmark.metrics import OutputPictures, Reason, Value, areas, colour, measure_output

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says on import that matplotlib is not there
    import colour as colour_science

# It puts stand-ins for matplotlib into sys.modules, over which others stumble who look whether it is there.
for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
    if getattr(sys.modules[name], "__spec__", None) is None:
        del sys.modules[name]

Array = npt.NDArray[Any]
_SIZE = (40, 60)


def flat(level: int, size: tuple[int, int] = _SIZE) -> Array:
    """A picture of one grey."""
    return np.full((*size, 3), level, np.uint8)


def noisy(seed: int, size: tuple[int, int] = _SIZE) -> Array:
    """A picture of random colours."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def box(top: int = 10, bottom: int = 20, left: int = 20, right: int = 40, size: tuple[int, int] = _SIZE) -> Array:
    """A region."""
    region = np.zeros(size, np.bool_)
    region[top:bottom, left:right] = True
    return region


def outside(source: Array, delivered: Array, region: Array) -> dict[str, Value]:
    """The metrics `outside_*`, without their prefix."""
    found = measure_output(OutputPictures(source, delivered, region))
    return {name.removeprefix("outside_"): value for name, value in found.items() if name.startswith("outside_")}


def psnr(mse: float) -> float:
    """By its definition."""
    return 20 * math.log10(255) - 10 * math.log10(mse)


def delta_e(a: Array, b: Array) -> Array:
    """CIEDE2000 by colour-science."""
    white = colour_science.CCS_ILLUMINANTS["CIE 1931 2 Degree Standard Observer"]["D65"]
    labs = [colour_science.XYZ_to_Lab(colour_science.sRGB_to_XYZ(each / 255.0), white) for each in (a, b)]
    return np.asarray(colour_science.delta_E(*labs, method="CIE 2000"))


@pytest.mark.parametrize("offset", [1, 5, 100])
def test_a_known_offset_has_its_square_as_mse(offset: int) -> None:
    found = outside(flat(100), flat(100 + offset), box())
    assert found["mse"] == Value(offset**2)
    assert found["psnr"].value == pytest.approx(psnr(offset**2))
    assert found["max_difference"] == Value(offset)
    assert found["changed_share"] == Value(1.0)
    assert found["exact"] == Value(0.0)
    assert found["delta_e"].value == pytest.approx(delta_e(flat(100), flat(100 + offset)).mean(), abs=0.01)


def test_brushnets_code_is_10_log10_of_3_off_because_it_divides_three_channels_by_pixels() -> None:
    source, delivered, region = noisy(1), noisy(2), box()
    ours = outside(source, delivered, region)["psnr"].value
    a, b = ((picture / 255.0) * ~region[..., None] for picture in (source, delivered))
    theirs = 20 * math.log10(1 / math.sqrt(((a - b) ** 2).sum() / (~region).sum()))
    assert ours is not None
    assert ours - theirs == pytest.approx(4.771, abs=1e-3)


def test_one_channel_that_is_off_counts_a_third() -> None:
    delivered = flat(100)
    delivered[..., 1] = 106
    assert outside(flat(100), delivered, box())["mse"] == Value(36 / 3)


def test_one_changed_pixel_is_one_of_all_outside() -> None:
    delivered, region = flat(100), box()
    delivered[0, 0, 2] = 103
    found = outside(flat(100), delivered, region)
    pixels = int((~region).sum())
    assert found["changed_share"] == Value(1 / pixels)
    assert found["mse"].value == pytest.approx(9 / (3 * pixels))
    assert found["max_difference"] == Value(3)
    assert found["exact"] == Value(0.0)


def test_what_is_identical_has_no_psnr_and_says_so() -> None:
    found = outside(noisy(1), noisy(1), box())
    assert found == {
        "exact": Value(1.0),
        "mse": Value(0.0),
        "psnr": Value.none(Reason.IDENTICAL),
        "ssim": Value(1.0),
        "max_difference": Value(0.0),
        "changed_share": Value(0.0),
        "delta_e": Value(0.0),
        "lpips": Value.none(Reason.REGION_TOO_SMALL),
    }


def test_what_changed_inside_does_not_count_outside() -> None:
    delivered, region = noisy(1), box()
    delivered[region] = 255 - delivered[region]
    found = outside(noisy(1), delivered, region)
    assert found["exact"] == Value(1.0) and found["ssim"] == Value(1.0) and found["delta_e"] == Value(0.0)


def test_random_pictures_measure_as_a_plain_computation_does() -> None:
    source, delivered, region = noisy(1), noisy(2), box()
    found = outside(source, delivered, region)
    difference = source.astype(float)[~region] - delivered.astype(float)[~region]
    assert found["mse"].value == pytest.approx((difference**2).mean())
    assert found["max_difference"].value == np.abs(difference).max()
    assert found["delta_e"].value == pytest.approx(delta_e(source, delivered)[~region].mean(), rel=1e-3)


def test_single_colours_differ_as_they_do_by_colour_science() -> None:
    a, b = noisy(3).reshape(-1, 3), noisy(4).reshape(-1, 3)
    near = np.clip(a.astype(int) + np.random.default_rng(5).integers(-2, 3, a.shape), 0, 255).astype(np.uint8)
    for other in (b, near):
        ours = [colour.delta_e_sum(one[None], two[None]) for one, two in zip(a[:300], other[:300], strict=True)]
        # Both round the matrix of sRGB to XYZ to another digit.
        assert ours == pytest.approx(delta_e(a[:300], other[:300]), abs=0.01, rel=2e-3)


def test_black_and_white_are_100_apart() -> None:
    assert outside(flat(0), flat(255), box())["delta_e"].value == pytest.approx(100, abs=1e-3)


def test_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    source, delivered, region = noisy(1), noisy(2), box()
    whole = outside(source, delivered, region)
    monkeypatch.setattr(areas, "_PIECE", 60 * 3)
    monkeypatch.setattr(colour, "_AT_ONCE", 7)
    in_pieces = outside(source, delivered, region)
    assert whole.pop("lpips") == in_pieces.pop("lpips")
    for name, value in whole.items():
        assert in_pieces[name].value == pytest.approx(value.value or 0, rel=1e-5), name


def test_raw_windows_count_by_their_pixels() -> None:
    small = (flat(100, (20, 20)), flat(104, (20, 20)), box(0, 10, 0, 20, (20, 20)))
    large = (flat(50), flat(50), np.zeros(_SIZE, np.bool_))
    found = measure_output(OutputPictures(flat(0), flat(0), box(), raws=[small, large]))
    pixels = 200 + 40 * 60
    assert found["raw_outside_mse"].value == pytest.approx(16 * 200 / pixels)
    assert found["raw_outside_changed_share"].value == pytest.approx(200 / pixels)
    assert found["raw_outside_max_difference"] == Value(4.0)
    assert found["raw_outside_exact"] == Value(0.0)


def test_the_raw_output_is_measured_apart_from_what_was_delivered() -> None:
    raw = (flat(100), flat(110), box())
    found = measure_output(OutputPictures(flat(100), flat(100), box(), raws=[raw]))
    assert found["raw_outside_mse"] == Value(100.0)
    assert found["outside_mse"] == Value(0.0)


def test_the_ground_truth_is_compared_in_each_mask_alone() -> None:
    truth, delivered = flat(100), flat(100)
    object_mask, effect_mask = box(10, 20, 20, 40), box(10, 30, 20, 40)
    delivered[20:30, 20:40] = 110  # the shadow, and nothing of the object
    delivered[0, 0] = 0  # neither
    found = measure_output(OutputPictures(flat(0), delivered, effect_mask, object_mask, effect_mask, truth))
    assert found["truth_object_psnr"] == Value.none(Reason.IDENTICAL)
    assert found["truth_object_delta_e"] == Value(0.0)
    assert found["truth_effect_psnr"].value == pytest.approx(psnr(100 / 2))
    assert found["truth_effect_delta_e"].value == pytest.approx(delta_e(truth[0, 0], flat(110)[0, 0]) / 2, abs=0.01)
    assert (found["truth_effect_ssim"].value or 1) < 0.9999
