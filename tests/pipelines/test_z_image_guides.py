from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, paint, small_card
from guided import ControlContract
from inpaint_core.guides import ControlType
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines.base import Control
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.z_image import ZImage, build
from tiny.z_image import write_z_image

NAME = "z-image-turbo-inpainting"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_z_image(tmp_path_factory.mktemp("z-image"))


@pytest.fixture(scope="module")
def pipeline(root: Path) -> ZImage:
    pipeline = build(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


class TestControl(ControlContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 64, "guidance": 1}

    def test_the_net_sees_the_image_beside_the_masked_picture(self, pipeline: ZImage) -> None:
        edit = self.edit(pipeline, parameters={"guidance": 0})
        plain = _seen(pipeline, edit)
        whole, half = (_seen(pipeline, self.guided(pipeline, edit, strength=strength)) for strength in (1.0, 0.5))
        for seen in (whole, half):
            assert torch.equal(seen[:, 16:], plain[:, 16:])
        assert not plain[:, :16].any() and whole[:, :16].any()
        assert torch.allclose(half[:, :16], whole[:, :16] / 2)
        # The picture itself as its own control image has the latents of a picture that is not masked.
        control = Control(edit.image, ControlType.DEPTH, 1.0)
        own = _seen(pipeline, replace(edit, control=control, region=np.zeros_like(edit.region)))
        assert torch.equal(own[:, :16], own[:, 17:])

    def test_the_type_does_not_matter(self, pipeline: ZImage) -> None:
        edit = self.edit(pipeline)
        assert pipeline.card.control is not None
        painted = {
            paint(pipeline, self.guided(pipeline, edit, kind=kind)).tobytes() for kind in pipeline.card.control.types
        }
        assert len(painted) == 1

    def test_without_the_net_the_image_does_not_count(self, pipeline: ZImage) -> None:
        blind = self.edit(pipeline, parameters={"control_scale": 0})
        assert np.array_equal(paint(pipeline, blind), paint(pipeline, self.guided(pipeline, blind)))

    def test_what_moves_by_turns_paints_the_same(self, pipeline: ZImage) -> None:
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


def test_edits_without_an_image_are_the_same_before_and_after(pipeline: ZImage) -> None:
    contract = TestControl()
    edit = contract.edit(pipeline)
    before = paint(pipeline, edit)
    paint(pipeline, contract.guided(pipeline, edit))
    assert np.array_equal(paint(pipeline, edit), before)


def _seen(pipeline: ZImage, edit: Edit) -> torch.Tensor:
    """What the ControlNet sees: latents of the control image, where to keep, and the masked picture's."""
    seen: list[torch.Tensor] = []
    hook = pipeline.pipe.controlnet.register_forward_pre_hook(lambda _net, args: seen.append(args[3]))
    paint(pipeline, edit)
    hook.remove()
    return seen[0]
