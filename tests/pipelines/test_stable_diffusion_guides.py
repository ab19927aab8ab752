from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, make_pixels, paint, small_card
from diffusers import (
    ControlNetModel,
    StableDiffusionXLControlNetInpaintPipeline,
)
from guided import ControlContract, GuideContract, ReferenceContract
from inpaint_core.guides import ControlType
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.base import Control, Edit, Reference
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.stable_diffusion import StableDiffusion, build
from inpaint_worker.pipelines.unet_controlnet_union import MODES
from tiny.stable_diffusion import (
    write_controlnet_union,
    write_ip_adapter,
    write_sdxl,
)

SD2, SDXL = "stable-diffusion-2-inpainting", "stable-diffusion-xl-1.0-inpainting-0.1"
# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def pipeline(root: Path) -> StableDiffusion:
    return _loaded(root)


class _Quick(GuideContract):
    quick: ClassVar = {"steps": 4}


class TestReference(_Quick, ReferenceContract):
    def test_it_counts_without_guidance_too(self, pipeline: StableDiffusion) -> None:
        free = self.edit(pipeline, parameters={"guidance": 1})
        assert not np.array_equal(paint(pipeline, free), paint(pipeline, self.guided(pipeline, free)))


class TestControl(_Quick, ControlContract):
    def test_thick_lines_thin_lines_depths_and_joints_are_told_apart(self, pipeline: StableDiffusion) -> None:
        edit = self.edit(pipeline)
        painted = {kind: paint(pipeline, self.guided(pipeline, edit, kind=kind)).tobytes() for kind in ControlType}
        assert len(set(painted.values())) == 4
        assert painted[ControlType.CANNY] == painted[ControlType.LINES]
        assert painted[ControlType.SOFT_EDGE] == painted[ControlType.SKETCH]

    def test_it_paints_what_diffusers_own_pipeline_for_simpler_nets_paints(
        self, pipeline: StableDiffusion, root: Path
    ) -> None:
        edit = self.guided(pipeline, self.edit(pipeline), strength=0.7, kind=ControlType.DEPTH)
        painted = paint(pipeline, edit)
        assert pipeline._controlnet is not None
        simple = _Simple(pipeline._controlnet._net, MODES[ControlType.DEPTH])
        parts = {**pipeline.pipe.components, "image_encoder": None, "feature_extractor": None}
        whole, control = pipeline.pipe, edit.control
        other = StableDiffusionXLControlNetInpaintPipeline(controlnet=simple, **parts, add_watermarker=False)
        other.set_progress_bar_config(disable=True)
        pipeline.pipe, pipeline._controlnet, held = _WithControl(other, control), None, pipeline._controlnet
        try:
            assert np.array_equal(paint(pipeline, edit), painted)
        finally:
            pipeline.pipe, pipeline._controlnet = whole, held


def test_edits_without_an_image_are_the_same_before_and_after(root: Path) -> None:
    pipeline = _loaded(root)
    edit = TestReference().edit(pipeline)
    before, parts = paint(pipeline, edit), _attention(pipeline)
    assert pipeline.pipe.image_encoder is None and pipeline._ip_adapter is None and pipeline._controlnet is None
    paint(pipeline, replace(edit, **_both(edit)))
    assert np.array_equal(paint(pipeline, edit), before)
    assert _attention(pipeline) == parts
    assert not pipeline.pipe.unet._forward_pre_hooks


def test_both_images_count_at_once(pipeline: StableDiffusion) -> None:
    edit = TestReference().edit(pipeline)
    both = _both(edit)
    painted = paint(pipeline, replace(edit, **both))
    assert np.array_equal(paint(pipeline, replace(edit, **both)), painted)
    for name in both:
        assert not np.array_equal(paint(pipeline, replace(edit, **{name: both[name]})), painted)
        weak = replace(both[name], strength=0.0)
        assert np.array_equal(
            paint(pipeline, replace(edit, **{**both, name: weak})),
            paint(pipeline, replace(edit, **{one: both[one] for one in both if one != name})),
        )


def test_what_moves_by_turns_paints_the_same(root: Path, pipeline: StableDiffusion) -> None:
    edit = TestReference().edit(pipeline)
    guided = replace(edit, **_both(edit))
    expected = paint(pipeline, edit), paint(pipeline, guided)
    turns = _loaded(root)
    turns.runtime = Runtime("cpu", torch.float32, offload=True)
    turns.pipe = turns.assemble(turns.runtime)
    turns.pipe.set_progress_bar_config(disable=True)
    on_cpu = turns.pipe.enable_model_cpu_offload
    turns.pipe.enable_model_cpu_offload = lambda device="cpu": on_cpu(device=device)
    turns.pipe.enable_model_cpu_offload()
    for _ in range(2):
        assert np.array_equal(paint(turns, edit), expected[0])
        assert np.array_equal(paint(turns, guided), expected[1])


class _Simple(ControlNetModel):
    """A union that shows itself as a ControlNet of one type."""

    def __init__(self, union: Any, mode: int) -> None:
        torch.nn.Module.__init__(self)
        self.union = union
        self.mode = mode

    @property
    def config(self) -> Any:
        return self.union.config

    def forward(self, sample: torch.Tensor, *args: Any, controlnet_cond: torch.Tensor, **told: Any) -> Any:
        kinds = torch.zeros(len(sample), self.config.num_control_type)
        kinds[:, self.mode] = 1
        return self.union(
            sample, *args, controlnet_cond=[controlnet_cond], control_type=kinds, control_type_idx=[self.mode], **told
        )


class _WithControl:
    """Called with what the pipeline without control images is called with."""

    def __init__(self, pipe: Any, control: Control | None) -> None:
        assert control is not None
        self._pipe, self._control = pipe, control

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def __call__(self, **arguments: Any) -> Any:
        image = torch.from_numpy(self._control.image.copy()).permute(2, 0, 1)[None].float() / 255
        return self._pipe(**arguments, control_image=image, controlnet_conditioning_scale=self._control.strength)


def _written(root: Path) -> Path:
    write_sdxl(root)
    write_ip_adapter(root)
    write_controlnet_union(root)
    return root


def _loaded(root: Path) -> StableDiffusion:
    pipeline = build(small_card(SDXL, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


def _both(edit: Edit) -> dict[str, Any]:
    height, width = edit.image.shape[:2]
    return {
        "reference": Reference(make_pixels(60, 40, seed=5), 0.5),
        "control": Control(make_pixels(width, height, seed=6), ControlType.CANNY, 1.0),
    }


def _attention(pipeline: StableDiffusion) -> dict[str, int]:
    unet = pipeline.pipe.unet
    held = {name: id(one) for name, one in unet.attn_processors.items()}
    return {**held, "projection": id(unet.encoder_hid_proj), "parts": len(list(unet.modules()))}
