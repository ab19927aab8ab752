"""Weights of SDXL's guides: missing, damaged, of other versions, and for other models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import SIDE, PipelineContract, make_pixels, paint, small_card
from diffusers import ControlNetUnionModel, UNet2DConditionModel
from guided import ReferenceContract
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import OperatorError, WeightsMissing
from inpaint_core.guides import ControlType
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines.base import Control, Edit, Reference
from inpaint_worker.pipelines.stable_diffusion import StableDiffusion, build
from inpaint_worker.pipelines.unet_controlnet_union import configuration
from safetensors.torch import load_file, save_file
from tiny.stable_diffusion import (
    CONTROLNET,
    CONTROLNET_FILE,
    IP_ADAPTER,
    IP_ADAPTER_FILE,
    write_controlnet_union,
    write_ip_adapter,
    write_sd2,
    write_sdxl,
)

SD2, SDXL = "stable-diffusion-2-inpainting", "stable-diffusion-xl-1.0-inpainting-0.1"
# Diffusers' Euler scheduler makes numpy arrays of tensors in a way that numpy is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.mark.parametrize(("guide", "repo"), [("reference", IP_ADAPTER), ("control", CONTROLNET)])
def test_without_the_weights_of_a_guide_only_such_edits_fail(guide: str, repo: str, tmp_path: Path) -> None:
    write_sdxl(tmp_path)
    pipeline = _loaded(tmp_path)
    edit = _edit(pipeline)
    painted = paint(pipeline, edit)
    for _ in range(2):
        with pytest.raises(WeightsMissing, match=f"{repo}.*inpaint models pull {SDXL}"):
            paint(pipeline, _guided(edit, guide))
        assert np.array_equal(paint(pipeline, edit), painted)


@pytest.mark.parametrize(
    ("guide", "file", "damage"),
    [
        ("reference", f"{IP_ADAPTER}/{IP_ADAPTER_FILE}", "lost"),
        ("reference", f"{IP_ADAPTER}/{IP_ADAPTER_FILE}", "cut"),
        ("reference", f"{IP_ADAPTER}/{IP_ADAPTER_FILE}", "other"),
        ("reference", f"{IP_ADAPTER}/models/image_encoder/model.safetensors", "lost"),
        ("reference", f"{IP_ADAPTER}/models/image_encoder/model.safetensors", "cut"),
        ("control", f"{CONTROLNET}/{CONTROLNET_FILE}", "lost"),
        ("control", f"{CONTROLNET}/{CONTROLNET_FILE}", "cut"),
        ("control", f"{CONTROLNET}/{CONTROLNET_FILE}", "other"),
    ],
)
def test_weights_of_a_guide_that_cannot_be_used_are_named(guide: str, file: str, damage: str, tmp_path: Path) -> None:
    write_sdxl(tmp_path)
    write_ip_adapter(tmp_path)
    write_controlnet_union(tmp_path)
    path = tmp_path / file
    pipeline = _loaded(tmp_path)
    edit = _edit(pipeline)
    painted = paint(pipeline, edit)
    whole = path.read_bytes()
    if damage == "lost":
        path.unlink()
        torch.save({}, path.with_name("pytorch_model.bin"))  # pickled, and not read
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        save_file(dict(list(load_file(path).items())[:-4]), path)
    guided = _guided(edit, guide)
    with pytest.raises(WeightsMissing, match=f"inpaint models pull {SDXL}"):
        paint(pipeline, guided)
    assert np.array_equal(paint(pipeline, edit), painted)
    path.write_bytes(whole)
    assert not np.array_equal(paint(pipeline, guided), painted)


def test_a_union_of_six_types_is_read_as_well(tmp_path: Path) -> None:
    write_sdxl(tmp_path)
    write_controlnet_union(tmp_path, types=6)
    pipeline = _loaded(tmp_path)
    edit = _edit(pipeline)
    assert paint(pipeline, _guided(edit, "control")).std() > 0


def test_the_shapes_of_the_published_union_tell_how_it_is_built() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            in_channels=9,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
            use_linear_projection=True,
        )
        config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
        published = ControlNetUnionModel.from_unet(
            unet, conditioning_embedding_out_channels=(48, 96, 192, 384), load_weights_from_unet=False
        )
        made = configuration({**published.state_dict(), "conv_in.weight": torch.empty(320, 4, 3, 3)}, config)
        net = ControlNetUnionModel(**made)
    assert made["conditioning_embedding_out_channels"] == (48, 96, 192, 384)
    assert round(2 * sum(tensor.numel() for tensor in net.state_dict().values()) / 1e9, 2) == 2.51


def test_an_adapter_on_the_card_of_another_u_net_works_alike(tmp_path: Path) -> None:
    write_sd2(tmp_path)
    both, sd2 = load_catalogue()[SDXL], small_card(SD2)
    weights = {**sd2.weights, **{role: both.weights[role] for role in ("ip_adapter", "image_encoder")}}
    card = sd2.model_copy(update={"weights": weights, "reference": both.reference})
    settings = load_settings(device="cpu", weights_dir=tmp_path)
    without = build(sd2, settings)
    without.load()
    write_ip_adapter(tmp_path, without.pipe.unet)
    pipeline = build(card, settings)
    pipeline.load()
    contract = ReferenceContract()
    contract.test_it_heeds_the_image(pipeline)
    contract.test_a_strength_of_zero_is_no_image(pipeline)


@pytest.mark.parametrize(
    ("name", "claims", "message"),
    [
        (SD2, ("reference",), "names no weights for ip_adapter, image_encoder"),
        (SD2, ("control",), "names no weights for control"),
        (SD2, ("control", "weights"), "for SDXL only"),
    ],
)
def test_a_card_that_claims_more_than_it_names_is_refused(name: str, claims: tuple[str, ...], message: str) -> None:
    card, able = small_card(name), load_catalogue()[SDXL]
    wrong = card.model_copy(update={claim: getattr(able, claim) for claim in claims})
    with pytest.raises(OperatorError, match=message):
        build(wrong, load_settings(device="cpu"))


def _loaded(root: Path) -> StableDiffusion:
    pipeline = build(small_card(SDXL, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    return pipeline


def _edit(pipeline: StableDiffusion) -> Edit:
    return PipelineContract().edit(pipeline, parameters={"steps": 4})


def _guided(edit: Edit, guide: str) -> Edit:
    if guide == "reference":
        return replace(edit, reference=Reference(make_pixels(60, 40, seed=5), 0.5))
    return replace(edit, control=Control(make_pixels(seed=6), ControlType.CANNY, 1.0))
