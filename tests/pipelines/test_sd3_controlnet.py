from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, paint, small_card
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.sd3_controlnet import Sd3ControlNet, build
from negative import NegativePromptContract
from tiny.sd3 import CONTROLNET, write_sd3

NAME = "sd3-controlnet-inpainting"


class TestSd3ControlNet(NegativePromptContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 32}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> Sd3ControlNet:
        return _loaded(write_sd3(tmp_path_factory.mktemp("sd3")))

    def test_torchs_global_noise_neither_matters_nor_moves(self, pipeline: Sd3ControlNet) -> None:
        edit = self.edit(pipeline)
        painted = []
        for state in (1, 2):
            torch.manual_seed(state)
            before = torch.get_rng_state()
            painted.append(pipeline.run(edit, lambda _done, _total: None))
            assert torch.equal(torch.get_rng_state(), before)
        assert np.array_equal(*painted)

    def test_the_encoding_of_the_masked_picture_follows_the_seed(self, pipeline: Sd3ControlNet) -> None:
        image = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
        mask = torch.zeros(1, 1, SIDE, SIDE)
        conditioning = []
        for seed in (1, 1, 2, 2**63 - 1):
            pipeline.pipe.seed = seed
            conditioning.append(
                pipeline.pipe.prepare_image_with_mask(image, mask, SIDE, SIDE, 1, 1, torch.device("cpu"), torch.float32)
            )
        assert conditioning[0].shape == (1, 17, SIDE // 8, SIDE // 8)
        assert torch.equal(conditioning[0], conditioning[1])
        assert not torch.equal(conditioning[0], conditioning[2])

    def test_what_is_under_the_region_is_not_seen(self, pipeline: Sd3ControlNet) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_without_its_controlnet_it_sees_no_surroundings(self, pipeline: Sd3ControlNet) -> None:
        blind = self.edit(pipeline, parameters={"control_scale": 0})
        elsewhere = replace(blind, image=255 - blind.image)
        assert np.array_equal(paint(pipeline, blind), paint(pipeline, elsewhere))
        assert not np.array_equal(paint(pipeline, blind), paint(pipeline, self.edit(pipeline)))

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: Sd3ControlNet) -> None:
        # CLIP reads 77 tokens, T5 as many as asked.
        long = "a red cup on a table " * 6
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (16, 100))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )


def test_the_masks_channel_is_there_even_if_the_config_does_not_say_so(tmp_path: Path) -> None:
    config = write_sd3(tmp_path) / CONTROLNET / "config.json"
    said = json.loads(config.read_text())
    assert said.pop("extra_conditioning_channels") == 1
    config.write_text(json.dumps(said))
    assert _loaded(tmp_path).pipe.controlnet.pos_embed_input.proj.in_channels == 17


def _loaded(root: Path) -> Sd3ControlNet:
    pipeline = build(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline
