"""A tiny Z-Image Turbo, and its ControlNet as the one file that is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    ZImageControlNetModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from safetensors.torch import save_file

from tiny.parts import autoencoder
from tiny.qwen import HIDDEN, qwen3, qwen_tokenizer

BASE = "Tongyi-MAI/Z-Image-Turbo"
CONTROLNET = "alibaba-pai/Z-Image-Turbo-Fun-Controlnet-Union-2.1"
CONTROLNET_FILE = "Z-Image-Turbo-Fun-Controlnet-Union-2.1-2602-8steps.safetensors"
_SHAPE: dict[str, Any] = {"dim": 32, "n_refiner_layers": 2, "n_heads": 2, "n_kv_heads": 2}


def write_z_image(root: Path) -> Path:
    """Z-Image Turbo and the ControlNet below `root`."""
    torch.manual_seed(0)
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        n_layers=4,
        cap_feat_dim=HIDDEN,
        axes_dims=[4, 6, 6],
        axes_lens=[1024, 64, 64],
        **_SHAPE,
    ).eval()
    for padding in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(padding, std=0.02)  # made without values
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(latent_channels=16, scaling=0.3611, shift=0.1159, quant=False),
        text_encoder=qwen3(layers=3),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    ).to(torch.bfloat16).save_pretrained(root / BASE, safe_serialization=True)
    (root / CONTROLNET).mkdir(parents=True)
    save_file(_controlnet().to(torch.bfloat16).state_dict(), root / CONTROLNET / CONTROLNET_FILE)
    return root


def _controlnet() -> Any:
    """As if trained: fresh ones begin with zeros where they join the model, and would do nothing."""
    torch.manual_seed(1)
    net = ZImageControlNetModel(
        control_layers_places=[0, 2],
        control_refiner_layers_places=[0, 1],
        control_in_dim=16 + 1 + 16,
        add_control_noise_refiner="control_noise_refiner",
        **_SHAPE,
    ).eval()
    for name, weights in net.named_parameters():
        if "before_proj" in name or "after_proj" in name:
            torch.nn.init.normal_(weights, std=0.2)
    return net
