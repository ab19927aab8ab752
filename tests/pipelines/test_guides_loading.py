"""The first edit with a guide reads its weights: what is told meanwhile, and what stays if that fails."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract import SIDE, PipelineContract, Stopped, make_pixels, paint, small_card
from inpaint_core.errors import GpuOutOfMemory, WeightsMissing
from inpaint_core.guides import ControlType
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import stable_diffusion as family
from inpaint_worker.pipelines import weights
from inpaint_worker.pipelines.base import Control, Edit, Reference
from inpaint_worker.pipelines.stable_diffusion import StableDiffusion, build
from tiny.stable_diffusion import write_controlnet_union, write_ip_adapter, write_sdxl

SDXL = "stable-diffusion-xl-1.0-inpainting-0.1"
# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(autouse=True)
def _on_a_cold_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that were just written are in memory, and would not be read ahead."""
    monkeypatch.setattr(weights, "cached_share", lambda _paths: 0.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SDXL with the weights of both guides."""
    folder = tmp_path_factory.mktemp("sdxl")
    for write in (write_sdxl, write_ip_adapter, write_controlnet_union):
        write(folder)
    return folder


def test_of_a_repository_with_several_files_the_record_names_the_one(root: Path) -> None:
    pipeline = _loaded(root)
    described: Any = pipeline.described()["weights"]
    for role, part in pipeline.card.weights.items():
        named = {"repo": part.repo, "revision": None, "file": part.file, "variant": part.variant}
        assert described[role] == {name: value for name, value in named.items() if value or name == "revision"}


def test_an_edit_whose_guide_is_missing_is_not_kept(tmp_path: Path) -> None:
    write_sdxl(tmp_path)
    pipeline = _loaded(tmp_path)
    kept = []
    for number in range(3):
        edit = _guided(pipeline, "control", image=make_pixels(seed=number))
        kept.append(weakref.ref(edit.image))
        with pytest.raises(WeightsMissing):
            paint(pipeline, edit)
        del edit
    gc.collect()
    assert [each() is not None for each in kept] == [False] * 3


@pytest.mark.parametrize("guide", ["reference", "control"])
def test_reading_a_guide_shows_that_the_job_lives(guide: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_READ_BYTES", 1 << 10)
    pipeline = _loaded(root)
    edit = _guided(pipeline, guide)
    first: list[tuple[int, int]] = []
    later: list[tuple[int, int]] = []
    paint(pipeline, edit, first)
    paint(pipeline, edit, later)
    total = pipeline.steps(edit)
    assert first.count((0, total)) > 10
    assert later == [(done, total) for done in range(total + 1)]


def test_a_job_can_be_canceled_while_its_guide_is_read(root: Path) -> None:
    pipeline = _loaded(root)
    plain = _edit(pipeline)
    clean = paint(pipeline, plain)
    guided = _guided(pipeline, "control")

    def stop(_done: int, _total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        pipeline.run(guided, stop)
    assert pipeline._controlnet is None
    assert np.array_equal(paint(pipeline, plain), clean)
    assert not np.array_equal(paint(pipeline, guided), clean)


@pytest.mark.parametrize(("guide", "reads"), [("reference", "read_ip_adapter"), ("control", "read_controlnet_union")])
def test_a_guide_without_room_says_what_helps_and_leaves_nothing(
    guide: str, reads: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _loaded(root)
    pipeline.warm()
    plain, guided = _edit(pipeline), _guided(pipeline, guide)
    clean = paint(pipeline, plain)

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patched:
        patched.setattr(family, reads, full)
        with pytest.raises(GpuOutOfMemory, match=rf"weights for {guide} images.*INPAINT_OFFLOAD=always"):
            paint(pipeline, guided)
    assert pipeline.pipe.image_encoder is None
    assert np.array_equal(paint(pipeline, plain), clean)
    assert not np.array_equal(paint(pipeline, guided), clean)


def test_parts_that_take_turns_do_so_after_a_guide_was_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = _loaded(root)
    assert pipeline.runtime is not None
    pipeline.runtime = replace(pipeline.runtime, offload=True)
    take_turns = pipeline.pipe.enable_model_cpu_offload
    monkeypatch.setattr(pipeline.pipe, "enable_model_cpu_offload", lambda **_: take_turns(device="cpu"))
    pipeline.pipe.enable_model_cpu_offload()

    def half(guide: str, _runtime: Any) -> None:
        pipeline.pipe.register_modules(image_encoder=torch.nn.Linear(1, 1))
        raise WeightsMissing(guide)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "load_guide", half)
        with pytest.raises(WeightsMissing):
            paint(pipeline, _guided(pipeline, "reference"))
    # Where one part has no hook, diffusers makes its tensors on the CPU.
    parts = [part for part in pipeline.pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert len(parts) == 4 and all(hasattr(part, "_hf_hook") for part in parts)


def test_a_full_gpu_is_no_fault_of_the_adapter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = _loaded(root)

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(pipeline.pipe, "load_ip_adapter", full)
    with pytest.raises(GpuOutOfMemory):
        paint(pipeline, _guided(pipeline, "reference"))


def _loaded(root: Path) -> StableDiffusion:
    pipeline = build(small_card(SDXL, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


def _edit(pipeline: StableDiffusion) -> Edit:
    return PipelineContract().edit(pipeline, parameters={"steps": 4})


def _guided(pipeline: StableDiffusion, guide: str, **changes: Any) -> Edit:
    edit = replace(_edit(pipeline), **changes)
    if guide == "reference":
        return replace(edit, reference=Reference(make_pixels(60, 40, seed=5), 0.5))
    return replace(edit, control=Control(make_pixels(seed=6), ControlType.CANNY, 1.0))
