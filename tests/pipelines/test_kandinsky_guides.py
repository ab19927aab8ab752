from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, make_pixels, paint, small_card
from guided import ReferenceContract
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.base import Reference
from inpaint_worker.pipelines.kandinsky import Kandinsky, build, mixed
from inpaint_worker.pipelines.runtime import Runtime
from PIL import Image
from tiny.kandinsky import write_kandinsky

NAME = "kandinsky-2-2-decoder-inpaint"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kandinsky(tmp_path_factory.mktemp("kandinsky"))


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Kandinsky:
    pipeline = build(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


class TestReference(ReferenceContract):
    quick: ClassVar = {"steps": 3, "prior_steps": 2}

    @pytest.mark.parametrize("step", [3, 4])
    def test_it_can_be_stopped_in_the_decoder(self, pipeline: Kandinsky, step: int) -> None:
        self.test_stopped_between_two_steps_it_leaves_no_trace(pipeline, step)

    def test_at_full_strength_the_prompt_no_longer_counts(self, pipeline: Kandinsky) -> None:
        edit = self.guided(pipeline, self.edit(pipeline), strength=1.0)
        other = replace(edit, prompt="a blue bird on a wire")
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_what_moves_by_turns_paints_the_same(self, pipeline: Kandinsky) -> None:
        edit = self.edit(pipeline)
        guided = self.guided(pipeline, edit)
        expected, whole = (paint(pipeline, edit), paint(pipeline, guided)), pipeline.pipe
        pipeline.pipe = pipeline.assemble(Runtime("cpu", torch.float32, offload=True))
        pipeline.pipe.set_progress_bar_config(disable=True)
        pipeline.pipe.enable_model_cpu_offload(device="cpu")
        try:
            assert np.array_equal(paint(pipeline, guided), expected[1])
            assert np.array_equal(paint(pipeline, edit), expected[0])
        finally:
            pipeline.pipe = whole


def test_edits_without_an_image_are_the_same_before_and_after(pipeline: Kandinsky) -> None:
    contract = TestReference()
    edit, prior = contract.edit(pipeline), pipeline.pipe.prior_pipe
    before = paint(pipeline, edit)
    paint(pipeline, contract.guided(pipeline, edit))
    assert pipeline.pipe.prior_pipe is prior
    assert np.array_equal(paint(pipeline, edit), before)


@pytest.mark.parametrize("strength", [0.2, 0.9])
def test_ideas_are_mixed_as_diffusers_mixes_them(pipeline: Kandinsky, strength: float) -> None:
    prior, picture = pipeline.pipe.prior_pipe, make_pixels(32, 32)

    def told() -> dict[str, object]:
        return {"num_inference_steps": 3, "generator": torch.Generator("cpu").manual_seed(1)}

    with torch.inference_mode():
        idea, avoided = mixed(prior, Reference(picture, strength), prompt="a cup", return_dict=False, **told())
        parts, weights = ["a cup", Image.fromarray(picture)], [1 - strength, strength]
        expected = prior.interpolate(parts, weights, **told())
    assert torch.allclose(idea, expected.image_embeds, atol=1e-6)
    assert torch.equal(avoided, expected.negative_image_embeds)
