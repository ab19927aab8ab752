"""An IP-Adapter and a second ControlNet beside alimama's, compared with diffusers and with what is made by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import init_empty_weights
from contract import make_pixels
from diffusers import FluxControlNetModel, FluxControlNetPipeline
from inpaint_core.catalogue import load_catalogue
from inpaint_core.guides import ControlType
from inpaint_worker.pipelines.base import Control
from inpaint_worker.pipelines.flux_inpaint_controlnet import FluxInpaintControlNetModel
from inpaint_worker.pipelines.flux_inpaint_pipeline import FluxInpaintControlNetPipeline
from inpaint_worker.pipelines.flux_ip_adapter import read_ip_adapter
from inpaint_worker.pipelines.flux_union import ControlImage, control_image
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.weights import Located
from PIL import Image
from test_flux_fill_guides import (
    HEIGHT,
    LINES,
    MASK,
    PICTURE,
    PROMPT,
    SCENE,
    TOKENS,
    WIDTH,
    condition_by_hand,
    watching,
)
from tiny.flux import CLIP, CONTROLNET, DEV, IP_ADAPTER, UNION, write_flux_controlnet, write_ip_adapter, write_union

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
NEGATIVE = "grey fog"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flux")
    for write in (write_flux_controlnet, write_ip_adapter, write_union):
        write(folder)
    return folder


@pytest.fixture(scope="module")
def pipe(root: Path) -> Any:
    net = FluxInpaintControlNetModel.from_pretrained(root / CONTROLNET, dtype=torch.float32)
    union = FluxControlNetModel.from_pretrained(root / UNION, dtype=torch.float32)
    made = FluxInpaintControlNetPipeline.from_pretrained(root / DEV, dtype=torch.float32, controlnet=net, union=union)
    card = load_catalogue()["flux-1-dev-controlnet-inpainting-beta"]
    located = {"ip_adapter": Located(root / IP_ADAPTER, None), "image_encoder": Located(root / CLIP, None)}
    made.ip_adapter = read_ip_adapter(made, card, located, Runtime("cpu", torch.float32, offload=False))
    made.set_progress_bar_config(disable=True)
    return made


def test_the_released_union_has_the_shapes_of_diffusers_own_class() -> None:
    with init_empty_weights():
        net = FluxControlNetModel(num_layers=6, num_single_layers=0, guidance_embeds=True)
    # The released file has 4.28 GB, in two bytes a number.
    assert round(2 * sum(one.numel() for one in net.parameters()) / 1e9, 2) == 4.28


@pytest.mark.parametrize("true_guidance", [1.0, 3.5])
def test_what_both_control_nets_say_is_added(pipe: Any, true_guidance: float) -> None:
    with (
        watching(pipe.controlnet) as inpainting,
        watching(pipe.union) as union,
        watching(pipe.transformer) as painted,
    ):
        _paint(pipe, control=LINES, true_guidance=true_guidance)
    assert len(inpainting) == len(union) == len(painted) == (1 if true_guidance == 1 else 2)
    for first, second, both in zip(inpainting, union, painted, strict=True):
        for name in ("hidden_states", "timestep", "encoder_hidden_states", "pooled_projections", "guidance"):
            assert torch.equal(second[name], both[name]) and torch.equal(first[name], both[name])
        np.testing.assert_allclose(second["controlnet_cond"][0].numpy(), condition_by_hand(pipe), rtol=0, atol=1e-5)
        with torch.no_grad():
            ours = pipe.controlnet(**{**first, "conditioning_scale": 1.0})[0]
            theirs = pipe.union(**{**second, "conditioning_scale": 1.0})[0]
        assert len(ours) == len(both["controlnet_block_samples"]) == 1
        for hint, one, other in zip(both["controlnet_block_samples"], ours, theirs, strict=True):
            assert hint.shape == (1, HEIGHT // 16 * WIDTH // 16, 64)
            torch.testing.assert_close(hint, 0.9 * one + 0.7 * other, rtol=0, atol=1e-5)
        assert both["controlnet_single_block_samples"] is None


def test_after_its_steps_the_control_image_lets_go(pipe: Any) -> None:
    given = control_image(Control(make_pixels(WIDTH, HEIGHT), ControlType.POSE, 0.7))
    with watching(pipe.union) as union, watching(pipe.controlnet) as inpainting:
        _paint(pipe, control=given, steps=10)
    assert len(union) == 6 and len(inpainting) == 10


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_the_ip_adapter_paints_what_diffusers_paints(pipe: Any, strength: float) -> None:
    ours = _paint(pipe, reference=PICTURE, strength=strength, steps=3)
    # Of numbers up to 4.5. Where all is black, the VAE's norms make much of how its input lies in memory.
    torch.testing.assert_close(ours, _paint_with_diffusers(pipe, strength), rtol=0, atol=1e-4)


def test_beside_the_negative_prompt_it_sees_black_as_in_diffusers(pipe: Any) -> None:
    # Without the ControlNet, which diffusers does not run on the negative prompt.
    ours = _paint(pipe, reference=PICTURE, strength=0.8, steps=3, true_guidance=3.5, scale=0)
    theirs = _paint_with_diffusers(pipe, 0.8, true_guidance=3.5, scale=0)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_processors_of_attention_are_the_plain_ones_before_and_after(pipe: Any) -> None:
    plain = dict(pipe.transformer.attn_processors)
    during: list[bool] = []

    def look(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        during.append(pipe.transformer.attn_processors == plain)
        if len(during) == 3:
            raise InterruptedError
        return tensors

    _paint(pipe, reference=PICTURE, steps=2, callback_on_step_end=look)
    assert pipe.transformer.attn_processors == plain
    with pytest.raises(InterruptedError):
        _paint(pipe, reference=PICTURE, steps=2, callback_on_step_end=look)
    assert pipe.transformer.attn_processors == plain and during == [False] * 3


def test_it_is_guided_about_the_same_in_bfloat16(pipe: Any) -> None:
    whole = _paint(pipe, reference=PICTURE, control=LINES, true_guidance=2, steps=4)
    adapter, pipe.ip_adapter = pipe.ip_adapter, None
    try:
        parts = {
            name: copy.deepcopy(part).to(torch.bfloat16) if isinstance(part, torch.nn.Module) else part
            for name, part in pipe.components.items()
        }
        half = FluxInpaintControlNetPipeline(**parts)
        adapted = {
            name: copy.deepcopy(one).to(torch.bfloat16) if isinstance(one, torch.nn.Module) else one
            for name, one in adapter.adapted.items()
        }
        half.ip_adapter = type(adapter)(dict(half.transformer.attn_processors), adapted)
        half.set_progress_bar_config(disable=True)
        latents = _paint(half, reference=PICTURE, control=LINES, true_guidance=2, steps=4)
    finally:
        pipe.ip_adapter = adapter
    assert latents.dtype == torch.bfloat16
    assert (latents.float() - whole).norm() / whole.norm() < 0.05


def test_a_control_image_of_another_size_is_refused(pipe: Any) -> None:
    small = ControlImage(Image.new("RGB", (WIDTH, HEIGHT - 16)), 0.7, 1.0)
    with pytest.raises(ValueError, match="must be as large as the picture"):
        _paint(pipe, control=small)


def _paint(
    pipe: Any, *, steps: int = 1, strength: float = 1, true_guidance: float = 1, scale: float = 0.9, **named: Any
) -> torch.Tensor:
    latents: torch.Tensor = pipe(
        PROMPT, *SCENE, reference_strength=strength, **_arguments(steps, true_guidance, scale), **named
    ).images
    return latents


def _paint_with_diffusers(pipe: Any, strength: float, true_guidance: float = 1, scale: float = 0.9) -> torch.Tensor:
    """Three steps of diffusers' own loop, with the mask's tokens added on their way into the network."""
    theirs = FluxControlNetPipeline(**{name: part for name, part in pipe.components.items() if name != "union"})
    theirs.set_progress_bar_config(disable=True)
    kept = torch.from_numpy(MASK[::16, ::16] == 0).float().reshape(1, -1, 1).expand(-1, -1, 4)
    black = Image.fromarray(np.where(MASK[..., None] > 0, np.uint8(0), np.asarray(SCENE[0])))

    def add_mask(_net: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, {**named, "controlnet_cond": torch.cat([named["controlnet_cond"], kept], dim=-1)}

    handle = pipe.controlnet.register_forward_pre_hook(add_mask, with_kwargs=True)
    pipe.transformer.set_attn_processor(dict(pipe.ip_adapter.adapted))
    try:
        theirs.set_ip_adapter_scale(strength)
        latents: torch.Tensor = theirs(
            PROMPT,
            control_image=black,
            ip_adapter_image=PICTURE,
            **_arguments(3, true_guidance, scale),
        ).images
    finally:
        handle.remove()
        pipe.transformer.set_attn_processor(dict(pipe.ip_adapter.plain))
    return latents


def _arguments(steps: int, true_guidance: float, scale: float) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "negative_prompt": NEGATIVE,
        "num_inference_steps": steps,
        "guidance_scale": 3.5,
        "controlnet_conditioning_scale": scale,
        "true_cfg_scale": true_guidance,
        "max_sequence_length": TOKENS,
        "generator": torch.Generator().manual_seed(5),
        "output_type": "latent",
    }
