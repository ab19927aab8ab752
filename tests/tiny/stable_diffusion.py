"""Tiny SD2 and SDXL inpainting, saved as the hub has them: a folder a part, half precision in *.fp16.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    ControlNetUnionModel,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)
from diffusers.models.embeddings import IPAdapterPlusImageProjection
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from tiny.parts import autoencoder, clip_text, clip_tokenizer

SD2 = "sd2-community/stable-diffusion-2-inpainting"
SDXL = "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"
IP_ADAPTER = "h94/IP-Adapter"
IP_ADAPTER_FILE = "sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors"
CONTROLNET = "xinsir/controlnet-union-sdxl-1.0"
CONTROLNET_FILE = "diffusion_pytorch_model_promax.safetensors"
_NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
#: Latents of the noisy picture and of the masked one, and the mask.
_CHANNELS = 4 + 4 + 1
_TEXT = 32
#: Widths of the image encoder and of what the IP-Adapter makes of it; a head of its attention has always 64.
_SEEN, _ADAPTER = 32, 64
#: Names of its parts: diffusers' -> the published file's.
_PUBLISHED = {
    ".ln0.": ".0.norm1.",
    ".ln1.": ".0.norm2.",
    ".attn.to_out.0.": ".0.to_out.",
    ".attn.": ".0.",
    ".ff.0.": ".1.0.",
    ".ff.1.net.0.proj.": ".1.1.",
    ".ff.1.net.2.": ".1.3.",
}


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
    pipe = StableDiffusionXLInpaintPipeline(
        vae=autoencoder(scaling=0.13025),
        text_encoder=clip_text(_TEXT),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(_TEXT, projection=_TEXT, seed=1),
        tokenizer_2=clip_tokenizer(pad="!"),
        unet=_sdxl_unet(),
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **_NOISE),
        add_watermarker=False,
    )
    return _saved(pipe, root / SDXL, variant)


def write_ip_adapter(root: Path, unet: Any = None) -> Path:
    """IP-Adapter Plus below `root`, and its image encoder, for SDXL or the model of `unet`."""
    unet, folder = unet or _sdxl_unet(), root / IP_ADAPTER
    text = unet.config.cross_attention_dim
    torch.manual_seed(2)
    seen = CLIPVisionConfig(
        hidden_size=_SEEN,
        intermediate_size=37,
        projection_dim=_SEEN,
        num_attention_heads=4,
        num_hidden_layers=2,
        image_size=32,
        patch_size=8,
    )
    CLIPVisionModelWithProjection(seen).save_pretrained(folder / "models/image_encoder")
    projection = IPAdapterPlusImageProjection(_SEEN, text, _ADAPTER, depth=4, heads=1, num_queries=4)
    tensors = {f"image_proj.{name}": tensor for name, tensor in _as_published(projection.state_dict()).items()}
    for number, processor in enumerate(unet.attn_processors):
        if processor.endswith("attn2.processor"):
            for part in ("to_k_ip", "to_v_ip"):
                tensors[f"ip_adapter.{number}.{part}.weight"] = torch.randn(unet.config.block_out_channels[-1], text)
    (folder / IP_ADAPTER_FILE).parent.mkdir(parents=True)
    save_file(tensors, folder / IP_ADAPTER_FILE)
    return folder


def _as_published(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    named: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        for ours, theirs in _PUBLISHED.items():
            name = name.replace(ours, theirs)
        named[name] = tensor
    for name in [name for name in named if name.endswith("to_k.weight")]:
        value = name.replace("to_k", "to_v")
        named[name.replace("to_k", "to_kv")] = torch.cat([named.pop(name), named.pop(value)])
    return named


def write_controlnet_union(root: Path, types: int = 8) -> Path:
    """ControlNet Union ProMax below `root`: one file, as if trained (a fresh one ends in zeros)."""
    torch.manual_seed(3)
    net = ControlNetUnionModel.from_unet(
        _sdxl_unet(in_channels=4), conditioning_embedding_out_channels=(4, 8, 8, 8), load_weights_from_unet=False
    )
    config = {**net.config, "num_control_type": types, "num_trans_channel": 32, "num_proj_channel": 32}
    net = ControlNetUnionModel(**{name: value for name, value in config.items() if not name.startswith("_")}).eval()
    for name, weights in net.named_parameters():
        if name.startswith(("controlnet_", "spatial")):
            torch.nn.init.normal_(weights, std=0.3)
    (root / CONTROLNET).mkdir(parents=True)
    save_file(net.half().state_dict(), root / CONTROLNET / CONTROLNET_FILE)
    return root / CONTROLNET


def _sdxl_unet(**changes: Any) -> Any:
    times = 8  # width of each of six sizes and crops; the whole text's embedding comes with them
    return _unet(
        cross_attention_dim=2 * _TEXT,
        addition_embed_type="text_time",
        addition_time_embed_dim=times,
        projection_class_embeddings_input_dim=6 * times + _TEXT,
        transformer_layers_per_block=(1, 2),
        **changes,
    )


def _unet(**kind: Any) -> Any:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=32,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        **{"in_channels": _CHANNELS, **kind},
    ).eval()


def _saved(pipe: Any, folder: Path, variant: str | None) -> Path:
    if variant == "fp16":
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.half()
    pipe.save_pretrained(folder, variant=variant, safe_serialization=True)
    return folder
