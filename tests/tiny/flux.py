"""Tiny checkpoints of the FLUX family."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    BitsAndBytesConfig,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxFillPipeline,
    FluxPipeline,
    FluxPriorReduxPipeline,
    FluxTransformer2DModel,
)
from diffusers.models.transformers.transformer_flux import FluxIPAdapterAttnProcessor
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from diffusers.quantizers.bitsandbytes import BnB4BitDiffusersQuantizer
from inpaint_worker.pipelines.flux_inpaint_controlnet import FluxInpaintControlNetModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import BitsAndBytesConfig as TransformersBitsAndBytesConfig
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5EncoderModel,
)

from tiny import parts

FILL = "black-forest-labs/FLUX.1-Fill-dev"
FILL_NF4 = "diffusers/FLUX.1-Fill-dev-nf4"
DEV = "black-forest-labs/FLUX.1-dev"
CONTROLNET = "alimama-creative/FLUX.1-dev-Controlnet-Inpainting-Beta"
TURBO = "alimama-creative/FLUX.1-Turbo-Alpha"
REDUX = "black-forest-labs/FLUX.1-Redux-dev"
UNION = "Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0"
IP_ADAPTER = "XLabs-AI/flux-ip-adapter"
CLIP = "openai/clip-vit-large-patch14"
#: Two heads of 32: NF4 packs 64 weights to a block.
SHAPE: dict[str, Any] = {
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 32,
    "num_attention_heads": 2,
    "joint_attention_dim": 64,
    "pooled_projection_dim": 64,
    "axes_dims_rope": [8, 8, 16],
    "guidance_embeds": True,
}
#: What the Turbo LoRA adapts.
_ADAPTED = [
    *("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    *("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    *("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
    *("proj_mlp", "proj_out", "norm.linear", "norm1.linear", "norm1_context.linear", "x_embedder", "context_embedder"),
]


def transformer(in_channels: int = 64, seed: int = 0) -> Any:
    """FLUX's transformer. Fill's has 384 channels: 64 of latents, 64 of the masked picture, 256 of the mask."""
    torch.manual_seed(seed)
    return FluxTransformer2DModel(patch_size=1, in_channels=in_channels, out_channels=64, **SHAPE).eval()


def write_flux_fill(root: Path) -> Path:
    """FLUX.1 Fill as published; bfloat16."""
    folder = root / FILL
    FluxFillPipeline(**_components(384)).to(torch.bfloat16).save_pretrained(folder)
    return folder


def write_flux_fill_nf4(root: Path) -> Path:
    """The two parts that the repository of 4-bit weights holds, quantised by bitsandbytes from those of `FILL`.

    And a `FILL` without them, as the card has it fetched.
    """
    whole, folder = write_flux_fill(root), root / FILL_NF4
    options: dict[str, Any] = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_compute_dtype": torch.bfloat16,
    }
    with bitsandbytes_on_cpu():
        FluxTransformer2DModel.from_pretrained(
            whole / "transformer", quantization_config=BitsAndBytesConfig(**options), torch_dtype=torch.bfloat16
        ).save_pretrained(folder / "transformer")
        T5EncoderModel.from_pretrained(
            whole / "text_encoder_2",
            quantization_config=TransformersBitsAndBytesConfig(**options),
            dtype=torch.bfloat16,
            device_map={"": "cpu"},
        ).save_pretrained(folder / "text_encoder_2")
    shutil.rmtree(whole / "transformer")
    shutil.rmtree(whole / "text_encoder_2")
    return folder


def write_flux_controlnet(root: Path) -> Path:
    """FLUX.1 [dev] and alimama's ControlNet, whose configuration names diffusers' class as the published one does."""
    FluxPipeline(**_components(64)).to(torch.bfloat16).save_pretrained(root / DEV)
    torch.manual_seed(3)
    net = FluxInpaintControlNetModel(**{**SHAPE, "num_single_layers": 0})
    for parameter in (*net.controlnet_x_embedder.parameters(), *net.controlnet_blocks.parameters()):
        torch.nn.init.normal_(parameter, std=0.2)  # zero in a net that has not been trained
    folder = root / CONTROLNET
    net.to(torch.bfloat16).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["_class_name"] = "FluxControlNetModel"
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_turbo_lora(root: Path) -> Path:
    """A LoRA of the transformer, under the name that its file has on the hub."""
    adapted = transformer()
    adapted.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=_ADAPTED))
    torch.manual_seed(9)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    folder = root / TURBO
    FluxPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(adapted),
        weight_name="diffusion_pytorch_model.safetensors",
    )
    return folder


def write_redux(root: Path) -> Path:
    """SigLIP, and the network that makes tokens of T5's width of what it sees: 16 of a picture of 32 x 32."""
    torch.manual_seed(11)
    encoder = SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=24,
            intermediate_size=37,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
    )
    embedder = ReduxImageEncoder(redux_dim=24, txt_in_features=64)
    torch.nn.init.normal_(embedder.redux_down.weight, std=0.5)
    folder = root / REDUX
    FluxPriorReduxPipeline(
        image_encoder=encoder.eval(),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
        image_embedder=embedder.eval(),
    ).to(torch.bfloat16).save_pretrained(folder)
    return folder


def write_union(root: Path, layers: int = 1, modes: int | None = None) -> Path:
    """A ControlNet of diffusers' own class; `modes`: of the older kind, that is told the type of an image."""
    torch.manual_seed(12)
    net = FluxControlNetModel(**{**SHAPE, "num_layers": layers, "num_single_layers": 0, "num_mode": modes})
    for parameter in (*net.controlnet_x_embedder.parameters(), *net.controlnet_blocks.parameters()):
        torch.nn.init.normal_(parameter, std=0.2)  # zero in a net that has not been trained
    folder = root / UNION
    net.to(torch.bfloat16).save_pretrained(folder)
    return folder


def write_ip_adapter(root: Path) -> Path:
    """One file, whose names are XLabs', and the whole of CLIP, of which half is needed."""
    torch.manual_seed(13)
    clip = CLIPModel(
        CLIPConfig(
            projection_dim=64,
            text_config={"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 1, "num_attention_heads": 2},
            vision_config={
                "hidden_size": 32,
                "intermediate_size": 37,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 32,
                "patch_size": 8,
                "projection_dim": 64,
            },
        )
    )
    torch.nn.init.normal_(clip.visual_projection.weight)
    clip.eval().save_pretrained(root / CLIP)
    CLIPImageProcessor(size=32, crop_size=32).save_pretrained(root / CLIP)
    width, tokens = SHAPE["joint_attention_dim"], 4
    inner = SHAPE["attention_head_dim"] * SHAPE["num_attention_heads"]
    weights = {
        "ip_adapter_proj_model.proj.weight": torch.randn(width * tokens, 64),
        "ip_adapter_proj_model.proj.bias": torch.randn(width * tokens),
        "ip_adapter_proj_model.norm.weight": torch.ones(width),
        "ip_adapter_proj_model.norm.bias": torch.zeros(width),
    }
    for block in range(SHAPE["num_layers"]):
        made = FluxIPAdapterAttnProcessor(hidden_size=inner, cross_attention_dim=width, num_tokens=(tokens,))
        for part in "kv":
            layer = getattr(made, f"to_{part}_ip")[0]
            name = f"double_blocks.{block}.processor.ip_adapter_double_stream_{part}_proj"
            weights |= {f"{name}.weight": 4 * layer.weight.detach(), f"{name}.bias": layer.bias.detach().clone()}
    folder = root / IP_ADAPTER
    folder.mkdir(parents=True)
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in weights.items()}, folder / "ip_adapter.safetensors")
    return folder


@contextlib.contextmanager
def bitsandbytes_on_cpu() -> Iterator[None]:
    """Without a GPU, let diffusers load 4-bit weights: bitsandbytes itself can, diffusers asks for one.

    Two of its methods are replaced: the question, and the choice of the device. All else is what a GPU would run.
    """
    kind: Any = BnB4BitDiffusersQuantizer
    before = kind.validate_environment, kind.update_device_map
    kind.validate_environment = lambda *_, **__: None
    kind.update_device_map = lambda _, chosen: {"": torch.device("cpu")} if chosen is None else chosen
    try:
        yield
    finally:
        kind.validate_environment, kind.update_device_map = before


def _components(in_channels: int) -> dict[str, Any]:
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(
            shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15
        ),
        "vae": parts.autoencoder(latent_channels=16, scaling=0.3611, shift=0.1159, quant=False),
        "text_encoder": parts.clip_text(hidden=64),
        "tokenizer": parts.clip_tokenizer(),
        "text_encoder_2": parts.t5_text(width=64),
        "tokenizer_2": parts.t5_tokenizer(),
        "transformer": transformer(in_channels),
    }
