"""All metrics of a result together: their names, their reasons, and that nothing is infinite."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_benchmark.metrics import METRICS, Direction, Metric, OutputPictures, Reason, Scope, Value, measure_output

Array = npt.NDArray[Any]
_SIZE = (40, 60)


def noisy(seed: int, size: tuple[int, int] = _SIZE) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def box(top: int = 8, bottom: int = 24, left: int = 10, right: int = 30, size: tuple[int, int] = _SIZE) -> Array:
    region = np.zeros(size, np.bool_)
    region[top:bottom, left:right] = True
    return region


def pictures(**changes: Any) -> OutputPictures:
    """A result with all that can be measured of it."""
    everything = OutputPictures(
        noisy(1), noisy(2), box(), box(10, 20), box(), noisy(3), [(noisy(4), noisy(5), box())], "a bench",
        lossy=True, exact=noisy(6),
    )  # fmt: skip
    return replace(everything, **changes)


def reasons(given: OutputPictures) -> dict[str, Reason]:
    return {name: value.reason for name, value in measure_output(given).items() if value.reason is not None}


# --- the registry -----------------------------------------------------------------------------------------------------


def test_every_metric_of_an_output_is_measured_and_no_other() -> None:
    assert list(measure_output(pictures())) == [name for name, metric in METRICS.items() if metric.scope == "output"]


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_a_metric_is_described(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert metric.direction in get_args(Direction) and metric.scope in get_args(Scope)
    assert metric.unit in {"levels", "levels²", "dB", "ΔE00", "share", "ratio", "SSIM", "flag", "LPIPS", "points"}
    assert metric.version >= 1
    assert metric.description.endswith(".") and "{" not in metric.description


def test_a_value_is_a_finite_number_or_a_reason() -> None:
    for wrong in (math.inf, -math.inf, math.nan):
        with pytest.raises(ValueError, match="no value of a metric"):
            Value(wrong)
    for one, other in ((None, None), (1.0, Reason.IDENTICAL)):
        with pytest.raises(ValueError, match="one of both"):
            Value(one, other)


def test_values_can_be_stored_as_json() -> None:
    found = {name: asdict(value) for name, value in measure_output(pictures(truth=None)).items()}
    read = json.loads(json.dumps(found, allow_nan=False))
    assert read["truth_object_psnr"] == {"value": None, "reason": "no_ground_truth"}
    assert read["outside_exact"] == {"value": 0.0, "reason": None}


# --- reasons ----------------------------------------------------------------------------------------------------------


def test_of_all_pictures_only_what_needs_a_network_may_lack_a_value() -> None:
    assert set(reasons(pictures())) <= {"outside_lpips", "truth_effect_lpips", "inside_clip_score"}


@pytest.mark.parametrize(
    ("changes", "prefixes", "reason"),
    [
        ({"truth": None}, ("truth_",), Reason.NO_GROUND_TRUTH),
        ({"lossy": False, "exact": None}, ("exact_",), Reason.IS_EXACT),
        ({"exact": None}, ("exact_",), Reason.NO_EXACT_TRIAL),
        ({"exact": noisy(2)}, ("exact_psnr",), Reason.IDENTICAL),
        ({"object_mask": None}, ("truth_object_",), Reason.NO_OBJECT_MASK),
        ({"effect_mask": None}, ("truth_effect_",), Reason.NO_EFFECT_MASK),
        ({"object_mask": box(0, 0)}, ("truth_object_",), Reason.EMPTY_MASK),
        ({"effect_mask": box(0, 0)}, ("truth_effect_",), Reason.EMPTY_MASK),
        ({"raws": []}, ("raw_outside_",), Reason.NO_RAW_OUTPUT),
        ({"raws": [(noisy(1), noisy(2), ~box(0, 0))]}, ("raw_outside_",), Reason.NOTHING_OUTSIDE),
        ({"prompt": None}, ("inside_clip_score",), Reason.NO_PROMPT),
        ({"prompt": ""}, ("inside_clip_score",), Reason.NO_PROMPT),
        ({"region": ~box(0, 0)}, ("outside_", "seam_", "inside_sharpness"), Reason.NOTHING_OUTSIDE),
        ({"region": box(0, 0)}, ("inside_", "seam_", "exact_"), Reason.NOTHING_INSIDE),
        ({"delivered": noisy(1)}, ("outside_psnr",), Reason.IDENTICAL),
        ({"truth": noisy(2)}, ("truth_object_psnr", "truth_effect_psnr"), Reason.IDENTICAL),
        ({"raws": [(noisy(1), noisy(1), box())]}, ("raw_outside_psnr",), Reason.IDENTICAL),
        ({"region": box(8, 10)}, ("inside_flatness", "inside_sharpness_ratio"), Reason.REGION_TOO_SMALL),
        ({"region": box(1, 39, 1, 59)}, ("outside_ssim", "inside_sharpness_ratio"), Reason.REGION_TOO_SMALL),
    ],
)
def test_what_is_missing_is_told_by_the_metrics_that_need_it_and_no_other(
    changes: dict[str, Any], prefixes: tuple[str, ...], reason: Reason
) -> None:
    found = reasons(pictures(**changes))
    concerned = {name for name, metric in METRICS.items() if metric.scope == "output" and name.startswith(prefixes)}
    assert concerned and {found.get(name) for name in concerned} == {reason}
    # What needs a network may lack something else before: its package, or a side of 64 pixels.
    assert {name for name in set(found) - concerned if not name.endswith(("_lpips", "_clip_score"))} == set()


def test_the_loss_of_a_tier_is_that_of_the_edit_region_alone() -> None:
    exact = noisy(2)
    delivered = exact.copy()
    delivered[box()] = exact[box()] ^ 8  # each channel of each pixel inside, by eight levels
    delivered[0, 0] = 255 - exact[0, 0]  # outside
    found = measure_output(pictures(delivered=delivered, exact=exact))
    assert found["exact_psnr"].value == pytest.approx(10 * math.log10(255**2 / 64))
    assert 0 < found["exact_delta_e"].value < 10  # type: ignore[operator]
    same = measure_output(pictures(delivered=exact, exact=exact))
    assert (same["exact_ssim"].value, same["exact_delta_e"].value) == (1.0, 0.0)


def test_an_exact_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="exact is 30 x 20, and not 60 x 40"):
        pictures(exact=noisy(6, (20, 30)))


# --- any picture ------------------------------------------------------------------------------------------------------


@st.composite
def outputs(draw: st.DrawFn) -> OutputPictures:
    """Small pictures of noise, grain or one colour; regions that are random, nothing or all."""
    size = draw(st.tuples(st.integers(1, 16), st.integers(1, 16)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def picture(like: Array | None = None) -> Array:
        kind = draw(st.sampled_from(["same", "near", "flat", "noise"]))
        if kind == "flat" or like is None:
            return np.full((*size, 3), rng.integers(0, 256, 3), np.uint8)
        if kind == "same":
            return like
        reach = 3 if kind == "near" else 255
        return np.clip(like.astype(int) + rng.integers(-reach, reach + 1, like.shape), 0, 255).astype(np.uint8)

    def mask() -> Array:
        share = draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))
        return rng.random(size) < share

    source = picture(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    raws = [(source, picture(source), mask()) for _ in range(draw(st.integers(0, 2)))]
    optional = [mask() if draw(st.booleans()) else None for _ in range(2)]
    truth = picture(source) if draw(st.booleans()) else None
    exact = picture(source) if draw(st.booleans()) else None
    return OutputPictures(source, picture(source), mask(), *optional, truth, raws, lossy=True, exact=exact)


#: What lies between two numbers, by unit. SSIM is computed in float32.
_RANGES = {
    "levels": (0, 255),
    "levels²": (0, 255**2),
    "dB": (0, math.inf),
    "ΔE00": (0, 130),
    "share": (0, 1),
    "ratio": (0, math.inf),
    "SSIM": (-1 - 1e-4, 1 + 1e-4),
    "flag": (0, 1),
}


@settings(max_examples=150, deadline=None)
@given(outputs())
def test_any_pictures_have_values_in_range_or_reasons(given: OutputPictures) -> None:
    found = measure_output(given)
    for name, value in found.items():
        if value.value is None:
            assert isinstance(value.reason, Reason), name
        else:
            low, high = _RANGES[METRICS[name].unit]
            assert math.isfinite(value.value) and low <= value.value <= high, (name, value)
    for kind in ("outside", "raw_outside"):
        is_exact = found[f"{kind}_exact"].value
        assert (is_exact == 1) == (found[f"{kind}_psnr"].reason == Reason.IDENTICAL)
        assert (is_exact == 1) == (found[f"{kind}_changed_share"].value == 0)
    assert not given.region.all() or found["outside_mse"].reason == Reason.NOTHING_OUTSIDE
    assert given.region.any() or found["inside_change_mean"].reason == Reason.NOTHING_INSIDE


@settings(max_examples=30, deadline=None)
@given(outputs())
def test_pictures_are_not_changed_by_measuring_and_measure_the_same_again(given: OutputPictures) -> None:
    before = [array.copy() for array in (given.source, given.delivered, given.region)]
    assert measure_output(given) == measure_output(given)
    for array, copy in zip((given.source, given.delivered, given.region), before, strict=True):
        assert np.array_equal(array, copy)


def test_views_that_are_not_contiguous_measure_the_same() -> None:
    plain = pictures()

    def turned(array: Array) -> Array:
        return np.asfortranarray(array)

    views = replace(
        plain,
        source=turned(plain.source),
        delivered=turned(plain.delivered),
        region=turned(plain.region),
        object_mask=turned(box(10, 20)),
        effect_mask=turned(box()),
        truth=turned(noisy(3)),
        raws=[(turned(noisy(4)), turned(noisy(5)), turned(box()))],
    )
    assert measure_output(views) == measure_output(plain)


# --- what does not go together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": noisy(1).astype(np.uint16)}, "source is to be H x W x 3, uint8"),
        ({"source": noisy(1)[..., 0]}, "source is to be H x W x 3"),
        ({"delivered": noisy(1, (40, 61))}, "delivered is 61 x 40, and not 60 x 40"),
        ({"truth": noisy(1, (60, 40))}, "truth is 40 x 60, and not 60 x 40"),
        ({"region": box().astype(np.uint8)}, "region is to be bool; it is uint8"),
        ({"effect_mask": box(size=(60, 40))}, r"effect_mask has the shape \(60, 40\)"),
        ({"raws": [(noisy(1), noisy(1, (8, 8)), box())]}, r"raws\[0\].raw is 8 x 8"),
        ({"raws": [(noisy(1), noisy(1), box()), (noisy(1), noisy(1), box(size=(8, 8)))]}, r"raws\[1\].mask"),
    ],
)
def test_pictures_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pictures(**changes)
