"""The ten samples of the published review, as one batch through the command line, on both OpenCV models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import WorkerProcess

SAMPLES = Path(__file__).parents[3] / "shared" / "furniture-ten"
MODELS = ("opencv-telea", "opencv-ns")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples have no licence to be kept here")
def test_all_ten_succeed_on_both_models_and_change_nothing_outside_their_masks(
    start_worker: Callable[..., WorkerProcess], stack_env: dict[str, str], tmp_path: Path
) -> None:
    for model in MODELS:
        start_worker(model)
    options = [argument for model in MODELS for argument in ("--model", model)]
    done = subprocess.run(
        [sys.executable, "-m", "inpaint_fleet.cli", "submit-batch", str(SAMPLES / "samples.json"), *options,
         "--wait", "--output-dir", str(tmp_path), "--json"],
        env=stack_env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    samples = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))["samples"]
    assert len(samples) == 10
    for sample in samples:
        source = np.asarray(Image.open(SAMPLES / sample["source"]).convert("RGB"))
        marked = np.asarray(Image.open(SAMPLES / sample["mask"]).convert("L")) >= 128
        for model in MODELS:
            result = np.asarray(Image.open(tmp_path / f"{sample['id']}.{model}.png").convert("RGB"))
            assert np.array_equal(result[~marked], source[~marked])
            assert not np.array_equal(result[marked], source[marked])
