from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import PipelineContract, Stopped, paint, small_card
from diffusers import FluxControlNetModel, FluxTransformer2DModel
from inpaint_core.errors import MissingExtra, WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.flux_controlnet import FluxControlNet
from safetensors.torch import load_file, save_file
from tiny.flux import CONTROLNET, DEV, SHAPE, TURBO, write_flux_controlnet, write_turbo_lora

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
NAME, NAME_TURBO = "flux-1-dev-controlnet-inpainting-beta", "flux-1-dev-controlnet-inpainting-beta-turbo"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controlnet")
    write_flux_controlnet(folder)
    write_turbo_lora(folder)
    return folder


class TestFluxControlNet(PipelineContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 32}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, root: Path) -> FluxControlNet:
        return _loaded(NAME, root)

    def test_what_is_under_the_region_is_forgotten(self, pipeline: FluxControlNet) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_the_controlnet_binds_it_as_much_as_asked(self, pipeline: FluxControlNet) -> None:
        free, half, bound = (
            paint(pipeline, self.edit(pipeline, parameters={"control_scale": scale})) for scale in (0, 0.5, 1)
        )
        assert not np.array_equal(free, half) and not np.array_equal(half, bound)

    def test_without_the_controlnet_it_does_not_know_the_picture(self, pipeline: FluxControlNet) -> None:
        edit = self.edit(pipeline, parameters={"control_scale": 0})
        other = replace(edit, image=255 - edit.image)
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: FluxControlNet) -> None:
        long = "a red cup on a table " * 4
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (16, 64))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )

    def test_after_an_exception_the_gpu_is_made_as_empty_as_after_a_picture(
        self, pipeline: FluxControlNet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        emptied: list[bool] = []
        monkeypatch.setattr(pipeline.pipe, "maybe_free_model_hooks", lambda: emptied.append(True))

        def stop(done: int, total: int) -> None:
            if done == 2:
                raise Stopped

        paint(pipeline, self.edit(pipeline))
        assert len(emptied) == 1
        with pytest.raises(Stopped):
            pipeline.run(self.edit(pipeline), stop)
        assert len(emptied) == 2

    def test_a_negative_prompt_is_for_guidance_above_one(self, pipeline: FluxControlNet) -> None:
        plain = self.edit(pipeline)
        assert np.array_equal(paint(pipeline, plain), paint(pipeline, replace(plain, negative_prompt="grey fog")))
        guided = self.edit(pipeline, parameters={"true_guidance": 3})
        empty, fog, rain = (
            paint(pipeline, replace(guided, negative_prompt=text)) for text in ("", "grey fog", "rain and wind")
        )
        assert not np.array_equal(empty, paint(pipeline, plain))
        assert not np.array_equal(empty, fog) and not np.array_equal(fog, rain)


class TestFluxControlNetTurbo(PipelineContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 32, "true_guidance": 2}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, root: Path) -> FluxControlNet:
        return _loaded(NAME_TURBO, root)

    def test_it_takes_eight_steps_unless_told_otherwise(self, pipeline: FluxControlNet) -> None:
        edit = self.edit(pipeline)
        edit = replace(edit, parameters=pipeline.card.resolve({"prompt_tokens": 32}))
        told: list[tuple[int, int]] = []
        paint(pipeline, edit, told)
        assert told[-1] == (8, 8)

    def test_the_lora_is_part_of_the_weights_and_of_nothing_else(self, pipeline: FluxControlNet, root: Path) -> None:
        added = load_file(root / TURBO / "diffusion_pytorch_model.safetensors")
        layers = {key.removeprefix("transformer.").rsplit(".lora_", 1)[0] for key in added}
        assert len(layers) > 15
        before = FluxTransformer2DModel.from_pretrained(root / DEV / "transformer").state_dict()
        fused = pipeline.pipe.transformer.state_dict()
        assert fused.keys() == before.keys()
        for name, weight in before.items():
            layer = name.removesuffix(".weight")
            if layer in layers and name.endswith(".weight"):
                low, high = (added[f"transformer.{layer}.lora_{part}.weight"] for part in "AB")
                weight = weight.float() + high.float() @ low.float()
            torch.testing.assert_close(fused[name], weight.float(), rtol=0, atol=1e-5)
        net = FluxControlNetModel.load_config(root / CONTROLNET)
        assert net["num_layers"] == len(pipeline.pipe.controlnet.transformer_blocks)
        published = load_file(root / CONTROLNET / "diffusion_pytorch_model.safetensors")
        for name, weight in pipeline.pipe.controlnet.state_dict().items():
            assert torch.equal(weight, published[name].float())

    def test_it_paints_otherwise_than_without_the_lora(self, pipeline: FluxControlNet, root: Path) -> None:
        edit = self.edit(pipeline)
        assert not np.array_equal(paint(pipeline, edit), paint(_loaded(NAME, root), edit))


def test_a_lora_without_peft_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"needs the package peft.*inpaint-fleet\[diffusers\]"):
        build_pipeline(small_card(NAME_TURBO), load_settings(device="cpu"))
    build_pipeline(small_card(NAME), load_settings(device="cpu"))


def test_a_controlnet_that_knows_no_mask_is_refused(tmp_path: Path) -> None:
    folder = write_flux_controlnet(tmp_path)
    FluxControlNetModel(**{**SHAPE, "num_single_layers": 0}).save_pretrained(folder)
    with pytest.raises(WeightsMissing, match="needs a FLUX ControlNet for inpainting, which sees 68 features"):
        _loaded(NAME, tmp_path)


@pytest.mark.parametrize("lost", ["controlnet_x_embedder.weight", "context_embedder.bias"])
def test_a_controlnet_with_gaps_is_refused_and_not_filled_with_noise(tmp_path: Path, lost: str) -> None:
    file = write_flux_controlnet(tmp_path) / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights[lost]
    save_file(weights, file)
    with pytest.raises(WeightsMissing, match=f"1 of its weights differ, such as {lost}"):
        _loaded(NAME, tmp_path)


def _loaded(name: str, root: Path) -> FluxControlNet:
    pipeline = build_pipeline(small_card(name), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    assert isinstance(pipeline, FluxControlNet)
    return pipeline
