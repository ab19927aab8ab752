"""A tiny Stable Diffusion 3 and its inpainting ControlNet, each saved as the hub has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)

from tiny.parts import autoencoder, clip_text, clip_tokenizer, t5_text, t5_tokenizer

BASE = "stabilityai/stable-diffusion-3-medium-diffusers"
CONTROLNET = "alimama-creative/SD3-Controlnet-Inpainting"
_TEXT = 32
_SHAPE: dict[str, Any] = {
    "sample_size": 32,
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 4,
    "joint_attention_dim": _TEXT,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 2 * _TEXT,
    "pos_embed_max_size": 96,
}


def write_sd3(root: Path) -> Path:
    """SD3 and the ControlNet below `root`."""
    torch.manual_seed(0)
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(**_SHAPE).eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(latent_channels=16, scaling=1.5305, shift=0.0609, quant=False),
        text_encoder=clip_text(_TEXT, projection=_TEXT),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(_TEXT, projection=_TEXT, seed=1),
        tokenizer_2=clip_tokenizer(pad="!"),
        text_encoder_3=t5_text(_TEXT),
        tokenizer_3=t5_tokenizer(),
    ).save_pretrained(root / BASE, safe_serialization=True)
    _controlnet().save_pretrained(root / CONTROLNET, safe_serialization=True)
    return root


def _controlnet() -> Any:
    """As if trained: fresh ones begin with zeros where they join the model, and would do nothing."""
    torch.manual_seed(1)
    net = SD3ControlNetModel(extra_conditioning_channels=1, **_SHAPE).eval()
    for weights in (*net.pos_embed_input.parameters(), *net.controlnet_blocks.parameters()):
        torch.nn.init.normal_(weights, std=0.2)
    return net
