"""A tiny FLUX.2 [klein], saved as the hub has it."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)

from tiny.qwen import HIDDEN, qwen3, qwen_tokenizer

KLEIN = "black-forest-labs/FLUX.2-klein-4B"
_LATENTS = 4
#: Three of them are read: the 9th, the 18th and the 27th.
_TEXT_LAYERS = 28


def write_flux2_klein(root: Path) -> Path:
    """FLUX.2 [klein] below `root`, whose index names the pipeline for texts and says that it is distilled."""
    torch.manual_seed(0)
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=4 * _LATENTS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * HIDDEN,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=False,
    ).eval()
    vae = AutoencoderKLFlux2(
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4,) * 4,
        layers_per_block=1,
        latent_channels=_LATENTS,
        norm_num_groups=1,
    ).eval()
    folder = root / KLEIN
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, shift=3.0, base_shift=0.5, max_shift=1.15, max_image_seq_len=4096
        ),
        vae=vae,
        text_encoder=qwen3(_TEXT_LAYERS),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
        is_distilled=True,
    ).to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    return folder
