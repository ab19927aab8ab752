"""A tiny Qwen-Image and its inpainting ControlNet, each saved as the hub has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageControlNetModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)

from tiny.qwen import HIDDEN, qwen_tokenizer, qwen_vl

BASE = "Qwen/Qwen-Image"
CONTROLNET = "InstantX/Qwen-Image-ControlNet-Inpainting"
_SHAPE: dict[str, Any] = {
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": HIDDEN,
    "axes_dims_rope": (4, 6, 6),
}


def write_qwen_image(root: Path) -> Path:
    """Qwen-Image and the ControlNet below `root`."""
    torch.manual_seed(0)
    QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=0.9,
            max_image_seq_len=8192,
            shift_terminal=0.02,
            time_shift_type="exponential",
        ),
        vae=AutoencoderKLQwenImage(
            base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
        ).eval(),
        text_encoder=qwen_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=QwenImageTransformer2DModel(num_layers=2, guidance_embeds=False, **_SHAPE).eval(),
    ).to(torch.bfloat16).save_pretrained(root / BASE, safe_serialization=True)
    _controlnet().to(torch.bfloat16).save_pretrained(root / CONTROLNET, safe_serialization=True)
    return root


def _controlnet() -> Any:
    """As if trained: fresh ones begin with zeros where they join the model, and would do nothing."""
    torch.manual_seed(1)
    net = QwenImageControlNetModel(num_layers=1, extra_condition_channels=4, **_SHAPE).eval()
    for weights in (*net.controlnet_x_embedder.parameters(), *net.controlnet_blocks.parameters()):
        torch.nn.init.normal_(weights, std=0.2)
    return net
