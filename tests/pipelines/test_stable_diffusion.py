from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import structlog
import torch
from contract import SIDE, paint, small_card
from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_inpaint as diffusers_sdxl
from diffusers.utils import logging as diffusers_logging
from inpaint_core.errors import OperatorError, WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.stable_diffusion import StableDiffusion, asked_steps, build
from negative import NegativePromptContract
from tiny.stable_diffusion import write_sd2, write_sdxl

SD2, SDXL = "stable-diffusion-2-inpainting", "stable-diffusion-xl-1.0-inpainting-0.1"


class TestStableDiffusion2(NegativePromptContract):
    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
        root = tmp_path_factory.mktemp("sd2")
        write_sd2(root)
        return _loaded(SD2, root)

    def test_it_is_the_class_on_the_card_without_a_safety_checker(self, pipeline: StableDiffusion) -> None:
        assert type(pipeline.pipe) is StableDiffusionInpaintPipeline
        assert pipeline.pipe.safety_checker is None
        assert pipeline.pipe.config.requires_safety_checker is False

    def test_what_is_under_the_region_is_forgotten_at_full_strength(self, pipeline: StableDiffusion) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    # SD2's scheduler makes one step twice.
    @pytest.mark.parametrize(("steps", "strength", "total"), [(1, 1, 1), (4, 1, 5), (4, 0.5, 3), (1, 0.5, 2)])
    def test_steps_that_really_run_are_told(
        self, pipeline: StableDiffusion, steps: int, strength: float, total: int
    ) -> None:
        assert _told(self, pipeline, steps, strength) == [(done, total) for done in range(total + 1)]

    def test_another_scheduler_is_counted_as_it_counts(
        self, pipeline: StableDiffusion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduler = DDIMScheduler.from_config(pipeline.pipe.scheduler.config)
        monkeypatch.setattr(pipeline.pipe, "scheduler", scheduler)
        assert _told(self, pipeline, 4, 1) == [(done, 4) for done in range(5)]


# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
class TestStableDiffusionXL(NegativePromptContract):
    # With a strength of 0.99, of three steps two remain.
    quick: ClassVar = {"steps": 4}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
        root = tmp_path_factory.mktemp("sdxl")
        write_sdxl(root)
        return _loaded(SDXL, root)

    def test_it_is_the_class_on_the_card_without_a_watermark(self, pipeline: StableDiffusion) -> None:
        assert type(pipeline.pipe) is StableDiffusionXLInpaintPipeline
        assert pipeline.pipe.watermark is None

    def test_strength_is_just_below_one_unless_asked_otherwise(self, pipeline: StableDiffusion) -> None:
        assert self.edit(pipeline).parameters["strength"] == 0.99

    @pytest.mark.parametrize(
        ("steps", "strength", "total"), [(1, 0.99, 1), (20, 0.99, 19), (10, 0.5, 5), (4, 0.05, 1), (7, 0.29, 2)]
    )
    def test_steps_that_really_run_are_told(
        self, pipeline: StableDiffusion, steps: int, strength: float, total: int
    ) -> None:
        assert _told(self, pipeline, steps, strength) == [(done, total) for done in range(total + 1)]

    def test_no_line_is_logged_for_a_picture(self, pipeline: StableDiffusion, caplog: pytest.LogCaptureFixture) -> None:
        diffusers_logging.enable_propagation()
        try:
            paint(pipeline, self.edit(pipeline))
        finally:
            diffusers_logging.disable_propagation()
        assert caplog.messages == []


def test_asked_steps_leave_one_at_any_strength() -> None:
    for percent in range(1, 101):
        for steps in (1, 2, 49, 150):
            asked = asked_steps(steps, percent / 100)
            assert int(asked * percent / 100) >= 1
            assert asked == steps or int((asked - 1) * (percent / 100)) < 1
    assert asked_steps(1, 1 / 49) == 50  # 49 * (1 / 49) is a little below 1


@pytest.mark.parametrize(("name", "write"), [(SD2, write_sd2), (SDXL, write_sdxl)])
def test_a_mirror_without_half_precision_files_is_read_from_the_plain_ones(
    name: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write(tmp_path, variant=None)
    with structlog.testing.capture_logs() as heard:
        pipeline = _loaded(name, tmp_path)
    assert [event["folder"] for event in heard if event["event"] == "variant_missing"] == [str(folder)]
    assert pipeline.pipe.unet.dtype == torch.float32


def test_half_precision_files_win_over_plain_ones(tmp_path: Path) -> None:
    folder = write_sd2(tmp_path)
    for file in folder.rglob("*.fp16.safetensors"):
        shutil.copy(file, file.with_name(file.name.replace(".fp16", "")))
        file.with_name(file.name.replace(".fp16", "")).write_bytes(b"broken, and not read")
    _loaded(SD2, tmp_path)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = write_sd2(tmp_path, variant=None)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({}, unet.with_suffix(".bin"))
    unet.unlink()
    with pytest.raises(WeightsMissing, match=rf"{folder} .*inpaint models pull {SD2}"):
        _loaded(SD2, tmp_path)


def test_a_broken_file_says_to_fetch_it_again(tmp_path: Path) -> None:
    folder = write_sd2(tmp_path)
    for part in ("unet", "text_encoder"):
        file = next((folder / part).glob("*.safetensors"))
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(WeightsMissing, match=f"inpaint models pull {SD2}"):
            _loaded(SD2, tmp_path)
        file.write_bytes(whole)


def test_a_safety_checker_that_a_folder_names_is_not_looked_for(tmp_path: Path) -> None:
    index = write_sd2(tmp_path) / "model_index.json"
    said = json.loads(index.read_text())
    said["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    said["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index.write_text(json.dumps({**said, "requires_safety_checker": True}))
    pipe = _loaded(SD2, tmp_path).pipe
    assert pipe.safety_checker is None and pipe.config.requires_safety_checker is False


def test_no_watermark_is_painted_where_its_library_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sdxl(tmp_path)
    monkeypatch.setattr(diffusers_sdxl, "is_invisible_watermark_available", lambda: True)
    monkeypatch.setattr(diffusers_sdxl, "StableDiffusionXLWatermarker", object, raising=False)
    assert _loaded(SDXL, tmp_path).pipe.watermark is None


def test_a_class_that_is_no_inpainting_pipeline_is_refused(tmp_path: Path) -> None:
    write_sd2(tmp_path)
    card = small_card(SD2, options={"class": "StableDiffusionPipeline"})
    pipeline = build(card, load_settings(device="cpu", weights_dir=tmp_path))
    with pytest.raises(OperatorError, match="must be one of StableDiffusionInpaintPipeline, StableDiffusionXLInpaint"):
        pipeline.load()


def _loaded(name: str, root: Path) -> StableDiffusion:
    pipeline = build(small_card(name, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


def _told(
    contract: NegativePromptContract, pipeline: StableDiffusion, steps: int, strength: float
) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    paint(pipeline, contract.edit(pipeline, parameters={"steps": steps, "strength": strength}), told)
    return told
