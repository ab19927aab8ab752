"""Tiny SD2 and SDXL inpainting, saved as the hub has them: a folder a part, half precision in *.fp16.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)

from tiny.parts import autoencoder, clip_text, clip_tokenizer

SD2 = "sd2-community/stable-diffusion-2-inpainting"
SDXL = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
_NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
#: Latents of the noisy picture and of the masked one, and the mask.
_CHANNELS = 4 + 4 + 1
_TEXT = 32


def write_sd2(root: Path, variant: str | None = "fp16") -> Path:
    """SD2 inpainting below `root`; with `variant` None as older mirrors have it: single precision, plain names."""
    unet = _unet(cross_attention_dim=_TEXT)
    pipe = StableDiffusionInpaintPipeline(
        vae=autoencoder(),
        text_encoder=clip_text(_TEXT),
        tokenizer=clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **_NOISE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _saved(pipe, root / SD2, variant)


def write_sdxl(root: Path, variant: str | None = "fp16") -> Path:
    """SDXL inpainting below `root`."""
    pooled, times = _TEXT, 8  # widths of the whole text's embedding, and of each of six sizes and crops
    unet = _unet(
        cross_attention_dim=2 * _TEXT,
        addition_embed_type="text_time",
        addition_time_embed_dim=times,
        projection_class_embeddings_input_dim=6 * times + pooled,
        transformer_layers_per_block=(1, 2),
    )
    pipe = StableDiffusionXLInpaintPipeline(
        vae=autoencoder(scaling=0.13025),
        text_encoder=clip_text(_TEXT),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(_TEXT, projection=pooled, seed=1),
        tokenizer_2=clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **_NOISE),
        add_watermarker=False,
    )
    return _saved(pipe, root / SDXL, variant)


def _unet(**kind: Any) -> Any:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=32,
        in_channels=_CHANNELS,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        **kind,
    ).eval()


def _saved(pipe: Any, folder: Path, variant: str | None) -> Path:
    if variant == "fp16":
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.half()
    pipe.save_pretrained(folder, variant=variant, safe_serialization=True)
    return folder
