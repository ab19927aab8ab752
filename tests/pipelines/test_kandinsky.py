from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, paint, small_card

# The same code as in the pipeline of 2.2, which the worker replaces there.
from diffusers.pipelines.kandinsky.pipeline_kandinsky_inpaint import prepare_mask
from diffusers.pipelines.kandinsky2_2 import pipeline_kandinsky2_2_inpainting as diffusers_inpainting
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.kandinsky import Kandinsky, build, widen_repainted
from negative import NegativePromptContract
from PIL import Image
from tiny.kandinsky import DECODER, PRIOR, write_kandinsky

NAME = "kandinsky-2-2-decoder-inpaint"


class TestKandinsky(NegativePromptContract):
    quick: ClassVar = {"steps": 3, "prior_steps": 2}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> Kandinsky:
        return _loaded(write_kandinsky(tmp_path_factory.mktemp("kandinsky")))

    def test_steps_of_the_prior_come_first_and_count(self, pipeline: Kandinsky) -> None:
        edit = self.edit(pipeline, parameters={"steps": 4, "prior_steps": 3})
        told: list[tuple[int, int]] = []
        paint(pipeline, edit, told)
        assert told == [(done, 7) for done in range(8)]

    @pytest.mark.parametrize("step", [0, 1, 2, 3])
    def test_it_can_be_stopped_in_the_prior_and_in_the_decoder(self, pipeline: Kandinsky, step: int) -> None:
        edit = self.edit(pipeline)
        clean = paint(pipeline, edit)

        def stop(done: int, _total: int) -> None:
            if done == step:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pipeline.run(edit, stop)
        assert np.array_equal(paint(pipeline, edit), clean)

    def test_where_memory_is_short_its_prompts_are_forgotten(self, pipeline: Kandinsky) -> None:
        edit = self.edit(pipeline)
        paint(pipeline, edit)
        read: list[Any] = []
        handle = pipeline.pipe.prior_text_encoder.register_forward_pre_hook(lambda _model, args: read.append(args))
        try:
            paint(pipeline, edit)
            assert not read
            pipeline._give_up()
            paint(pipeline, edit)
            assert read
        finally:
            handle.remove()

    def test_more_steps_of_the_prior_make_another_picture(self, pipeline: Kandinsky) -> None:
        other = self.edit(pipeline, parameters={"prior_steps": 4})
        assert not np.array_equal(paint(pipeline, self.edit(pipeline)), paint(pipeline, other))

    def test_fewer_prior_steps_than_its_scheduler_can_count_are_not_offered(self, pipeline: Kandinsky) -> None:
        least = int(pipeline.card.parameters["prior_steps"].minimum or 0)
        pipeline.pipe.prior_pipe.scheduler.set_timesteps(least)
        with pytest.raises(ZeroDivisionError):
            pipeline.pipe.prior_pipe.scheduler.set_timesteps(least - 1)

    def test_what_is_kept_keeps_its_latents_and_what_is_repainted_does_not(self, pipeline: Kandinsky) -> None:
        edit = self.edit(pipeline)
        region = np.zeros((SIDE, SIDE), np.bool_)
        region[:, : SIDE // 2] = True
        image, mask = Image.fromarray(edit.image), Image.fromarray(np.where(region, np.uint8(255), np.uint8(0)))
        painted = _latents(pipeline, pipeline.arguments(edit, image, mask))
        kept = (painted - _encoded(pipeline, edit.image)).abs().amax(dim=(0, 1)) < 1e-4
        border = SIDE // 8 // 2
        assert not kept[:, :border].any()
        assert not kept[:, border].any()  # taken along by its neighbour
        assert kept[:, border + 1 :].all()

    def test_it_paints_what_diffusers_own_erosion_paints(
        self, pipeline: Kandinsky, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edit = self.edit(pipeline)
        painted = paint(pipeline, edit)
        assert diffusers_inpainting.prepare_mask is widen_repainted
        monkeypatch.setattr(diffusers_inpainting, "prepare_mask", prepare_mask)
        assert np.array_equal(paint(pipeline, edit), painted)

    def test_a_remembered_prompt_of_the_prior_is_as_good_as_a_fresh_one(
        self, pipeline: Kandinsky, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prior = pipeline.pipe.prior_pipe
        edit = self.edit(pipeline, negative_prompt="blurred")
        paint(pipeline, edit)
        remembered = paint(pipeline, edit)
        monkeypatch.setattr(prior, "_encode_prompt", type(prior)._encode_prompt.__get__(prior))
        assert np.array_equal(paint(pipeline, edit), remembered)


@pytest.mark.parametrize("seed", range(12))
def test_the_erosion_equals_diffusers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 40, 2))
    keep = torch.from_numpy((rng.random((1, 1, height, width)) > rng.choice([0, 0.02, 0.2, 0.9, 1])).astype(np.float32))
    for dtype in (torch.float32, torch.float16):
        expected = prepare_mask(keep.to(dtype).clone())
        widened = widen_repainted(keep.to(dtype))
        assert torch.equal(widened, expected) and widened.dtype == dtype


def test_the_erosion_leaves_its_input_alone() -> None:
    keep = torch.ones(1, 1, 4, 4)
    keep[..., 1, 1] = 0
    widen_repainted(keep)
    assert int(keep.sum()) == 15


@pytest.mark.parametrize(("role", "repo", "part"), [("base", DECODER, "unet"), ("prior", PRIOR, "prior")])
def test_a_folder_that_lacks_a_part_is_named(tmp_path: Path, role: str, repo: str, part: str) -> None:
    root = write_kandinsky(tmp_path)
    next((root / repo / part).glob("*.safetensors")).unlink()
    with pytest.raises(WeightsMissing, match=f"{repo}.*inpaint models pull {NAME}") as raised:
        _loaded(root)
    assert raised.value.repo == repo


def _loaded(root: Path) -> Kandinsky:
    pipeline = build(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


def _latents(pipeline: Kandinsky, arguments: dict[str, Any]) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(1)
    result: torch.Tensor = pipeline.pipe(
        **arguments, height=SIDE, width=SIDE, generator=generator, output_type="latent"
    ).images
    return result


def _encoded(pipeline: Kandinsky, image: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        encoded: torch.Tensor = pipeline.pipe.movq.encode(pixels)["latents"]
    return encoded
