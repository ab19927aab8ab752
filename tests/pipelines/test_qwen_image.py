from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, paint, small_card
from inpaint_core.errors import ParameterInvalid
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.qwen_image import QwenImage
from negative import NegativePromptContract
from tiny.qwen_image import write_qwen_image

NAME = "qwen-image-inpainting"


class TestQwenImage(NegativePromptContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 64}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> QwenImage:
        return _loaded(write_qwen_image(tmp_path_factory.mktemp("qwen")))

    def test_torchs_global_noise_neither_matters_nor_moves(self, pipeline: QwenImage) -> None:
        edit = self.edit(pipeline)
        painted = []
        for state in (1, 2):
            torch.manual_seed(state)
            before = torch.get_rng_state()
            painted.append(pipeline.run(edit, lambda _done, _total: None))
            assert torch.equal(torch.get_rng_state(), before)
        assert np.array_equal(*painted)

    def test_the_encoding_of_the_masked_picture_follows_the_seed(self, pipeline: QwenImage) -> None:
        image = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
        mask = torch.zeros(1, 1, SIDE, SIDE)
        conditioning = []
        for seed in (1, 1, 2, 2**63 - 1):
            pipeline.pipe.seed = seed
            conditioning.append(
                pipeline.pipe.prepare_image_with_mask(image, mask, SIDE, SIDE, 1, 1, torch.device("cpu"), torch.float32)
            )
        assert conditioning[0].shape == (1, (SIDE // 16) ** 2, 4 * (16 + 1))
        assert torch.equal(conditioning[0], conditioning[1])
        assert not torch.equal(conditioning[0], conditioning[2])

    def test_what_is_under_the_region_is_not_seen(self, pipeline: QwenImage) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_without_its_controlnet_it_sees_no_surroundings(self, pipeline: QwenImage) -> None:
        blind = self.edit(pipeline, parameters={"control_scale": 0})
        elsewhere = replace(blind, image=255 - blind.image)
        assert np.array_equal(paint(pipeline, blind), paint(pipeline, elsewhere))
        assert not np.array_equal(paint(pipeline, blind), paint(pipeline, self.edit(pipeline)))

    def test_without_guidance_a_negative_prompt_is_not_read(self, pipeline: QwenImage) -> None:
        free = self.edit(pipeline, parameters={"guidance": 1})
        assert np.array_equal(paint(pipeline, free), paint(pipeline, replace(free, negative_prompt="letters")))

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: QwenImage) -> None:
        long = "a red cup on a table " * 6
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (16, 100))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )

    def test_it_takes_two_steps_at_least(self, pipeline: QwenImage) -> None:
        assert paint(pipeline, self.edit(pipeline, parameters={"steps": 2})).std() > 0
        with pytest.raises(ParameterInvalid, match="from 2 to 100"):
            pipeline.card.resolve({"steps": 1})


def _loaded(root: Path) -> QwenImage:
    pipeline = build_pipeline(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    assert isinstance(pipeline, QwenImage)
    return pipeline
