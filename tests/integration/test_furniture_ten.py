"""The ten samples of the published review, as batches through the command line: both OpenCV models, every policy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from processes import WorkerProcess

SAMPLES = Path(__file__).parents[3] / "shared" / "furniture-ten"
MODELS = ("opencv-telea", "opencv-ns")
POLICIES = (
    ["--fit", "crop"],
    ["--fit", "whole"],
    ["--padding", "0", "--fill-holes"],
    ["--fit", "crop", "--detail", "full", "--grow", "12", "--feather", "6"],
    ["--fit", "whole", "--grow", "4.5"],
)

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples have no licence to be kept here")


def samples() -> list[dict[str, Any]]:
    """What the manifest tells of each."""
    found: list[dict[str, Any]] = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))["samples"]
    assert len(found) == 10
    return found


def submitted(folder: Path, env: dict[str, str], *options: str) -> list[dict[str, Any]]:
    """Run all ten as one batch, and wait; the jobs."""
    done = subprocess.run(
        [sys.executable, "-m", "inpaint_fleet.cli", "submit-batch", str(SAMPLES / "samples.json"), *options,
         "--wait", "--output-dir", str(folder), "--json"],
        env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs: list[dict[str, Any]] = json.loads(done.stdout)["jobs"]
    return jobs


def changed(sample: dict[str, Any], result: Path) -> np.ndarray:
    """Which pixels of a sample a result has changed."""
    source = np.asarray(Image.open(SAMPLES / sample["source"]).convert("RGB"))
    with Image.open(result) as opened:
        assert opened.mode == "RGB"
        differs: np.ndarray = (np.asarray(opened) != source).any(axis=2)
    return differs


def marked(sample: dict[str, Any]) -> np.ndarray:
    """What the mask of a sample marks."""
    return np.asarray(Image.open(SAMPLES / sample["mask"]).convert("L")) >= 128


def test_all_ten_succeed_on_both_models_and_change_nothing_outside_their_masks(
    start_worker: Callable[..., WorkerProcess], stack_env: dict[str, str], tmp_path: Path
) -> None:
    for model in MODELS:
        start_worker(model)
    options = [argument for model in MODELS for argument in ("--model", model)]
    submitted(tmp_path, stack_env, *options)
    for sample in samples():
        for model in MODELS:
            differs, mask = changed(sample, tmp_path / f"{sample['id']}.{model}.png"), marked(sample)
            assert not (differs & ~mask).any()
            assert differs[mask].mean() > 0.2


def test_all_ten_keep_what_is_outside_of_their_edit_region_under_every_policy(
    start_worker: Callable[..., WorkerProcess], stack_env: dict[str, str], tmp_path: Path
) -> None:
    start_worker("opencv-telea")
    for number, policy in enumerate(POLICIES):
        folder = tmp_path / str(number)
        jobs = submitted(folder, stack_env, "--model", "opencv-telea", *policy)
        assert {job["job"]["outside_changed_pixels"] for job in jobs} == {0}
        assert {job["job"]["exact"] for job in jobs} == {True}
        for sample in samples():
            differs, mask = changed(sample, folder / f"{sample['id']}.png"), marked(sample)
            may_change = np.asarray(_grown(mask, 13))
            assert not (differs & ~may_change).any()
            assert differs[mask].mean() > 0.2


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """At least all within `pixels`, by a square: looser than the edit region, and made without it."""
    grown = mask.copy()
    for axis in (0, 1):
        before = grown.copy()
        for shift in range(1, pixels + 1):
            for way in (shift, -shift):
                moved = np.roll(before, way, axis)
                edge = slice(0, shift) if way > 0 else slice(-shift, None)
                moved[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = False
                grown |= moved
    return grown
