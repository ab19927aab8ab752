from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, PipelineContract, paint, small_card
from inpaint_core.errors import DeviceTooSmall, WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.flux_fill import FluxFill
from tiny.flux import bitsandbytes_on_cpu, write_flux_fill, write_flux_fill_nf4

NAME, NAME_NF4 = "flux-1-fill-dev", "flux-1-fill-dev-nf4"


class TestFluxFill(PipelineContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 32}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> FluxFill:
        root = tmp_path_factory.mktemp("fill")
        write_flux_fill(root)
        return _loaded(NAME, root)

    def test_it_is_float32_on_a_cpu(self, pipeline: FluxFill) -> None:
        assert {part.dtype for part in pipeline.pipe.components.values() if isinstance(part, torch.nn.Module)} == {
            torch.float32
        }

    def test_what_is_under_the_region_is_forgotten_at_full_strength(self, pipeline: FluxFill) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    @pytest.mark.parametrize(("steps", "strength", "total"), [(10, 0.5, 5), (3, 0.05, 1), (1, 0.05, 1), (7, 0.7, 5)])
    def test_less_strength_takes_fewer_steps(self, pipeline: FluxFill, steps: int, strength: float, total: int) -> None:
        told: list[tuple[int, int]] = []
        paint(pipeline, self.edit(pipeline, parameters={"steps": steps, "strength": strength}), told)
        assert told == [(done, total) for done in range(total + 1)]

    def test_less_strength_remembers_what_was_under_the_region(self, pipeline: FluxFill) -> None:
        edit = self.edit(pipeline, parameters={"strength": 0.5})
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: FluxFill) -> None:
        long = "a red cup on a table " * 4
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (16, 64))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )


class TestFluxFillInFourBits(PipelineContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 32}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FluxFill]:
        root = tmp_path_factory.mktemp("fill-nf4")
        write_flux_fill_nf4(root)
        with bitsandbytes_on_cpu():
            yield _loaded(NAME_NF4, root)

    def test_transformer_and_t5_hold_four_bits_and_compute_in_bfloat16(self, pipeline: FluxFill) -> None:
        import bitsandbytes

        for name in ("transformer", "text_encoder_2"):
            part = getattr(pipeline.pipe, name)
            layers = [module for module in part.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
            assert len(layers) > 10, name
            assert {layer.weight.dtype for layer in layers} == {torch.uint8}
            assert {layer.weight.quant_type for layer in layers} == {"nf4"}
            assert {layer.compute_dtype for layer in layers} == {torch.bfloat16}
        assert pipeline.pipe.text_encoder_2.dtype == pipeline.pipe.vae.dtype == torch.bfloat16

    def test_it_paints_about_what_the_whole_weights_paint(self, pipeline: FluxFill, tmp_path: Path) -> None:
        write_flux_fill(tmp_path)
        edit = self.edit(pipeline)
        painted, whole = paint(pipeline, edit), paint(_loaded(NAME, tmp_path), edit)
        unlike = paint(pipeline, replace(edit, seed=2))
        assert _distance(painted, whole) < _distance(painted, unlike) / 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="diffusers asks for any GPU")
def test_four_bits_without_a_gpu_are_refused_in_a_sentence(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("fill-nf4")
    write_flux_fill_nf4(root)
    with pytest.raises(DeviceTooSmall, match="holds 4-bit weights, which diffusers loads with a GPU only"):
        _loaded(NAME_NF4, root)


@pytest.mark.parametrize("lost", ["transformer", "vae", "text_encoder_2"])
def test_a_folder_that_lacks_a_part_is_named(tmp_path_factory: pytest.TempPathFactory, lost: str) -> None:
    root = tmp_path_factory.mktemp("fill")
    folder = write_flux_fill(root)
    next((folder / lost).glob("*.safetensors")).unlink()
    with pytest.raises(WeightsMissing, match="inpaint models pull flux-1-fill-dev"):
        _loaded(NAME, root)


def test_pickled_weights_are_not_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("fill")
    folder = write_flux_fill(root)
    for file in folder.rglob("*.safetensors"):
        file.with_name(file.name.replace("model.safetensors", "model.bin")).write_bytes(b"not read")
        file.unlink()
    with pytest.raises(WeightsMissing):
        _loaded(NAME, root)


def _loaded(name: str, root: Path) -> FluxFill:
    pipeline = build_pipeline(small_card(name, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    assert isinstance(pipeline, FluxFill)
    return pipeline


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())
