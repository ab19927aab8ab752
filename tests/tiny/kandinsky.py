"""A tiny Kandinsky 2.2: the inpainting decoder and the prior, two repositories as on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDPMScheduler,
    KandinskyV22InpaintPipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tiny.parts import clip_text, clip_tokenizer

DECODER = "kandinsky-community/kandinsky-2-2-decoder-inpaint"
PRIOR = "kandinsky-community/kandinsky-2-2-prior"
_IDEA = 32  # width of an image's embedding


def write_kandinsky(root: Path) -> Path:
    """Decoder and prior below `root`. The decoder's README has no tag that leads to the prior."""
    KandinskyV22InpaintPipeline(unet=_unet(), scheduler=_decoder_scheduler(), movq=_movq()).save_pretrained(
        root / DECODER, safe_serialization=True
    )
    KandinskyV22PriorPipeline(
        prior=_prior(),
        image_encoder=_image_encoder(),
        text_encoder=clip_text(_IDEA, projection=_IDEA),
        tokenizer=clip_tokenizer(),
        scheduler=UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=10.0
        ),
        image_processor=CLIPImageProcessor(crop_size={"height": 32, "width": 32}, size={"shortest_edge": 32}),
    ).save_pretrained(root / PRIOR, safe_serialization=True)
    return root


def _unet() -> Any:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        in_channels=4 + 4 + 1,
        out_channels=8,  # noise and its variance
        addition_embed_type="image",
        encoder_hid_dim=_IDEA,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=32,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
    ).eval()


def _movq() -> Any:
    torch.manual_seed(0)
    return VQModel(
        block_out_channels=(32, 32, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        vq_embed_dim=4,
        num_vq_embeddings=12,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
    ).eval()


def _decoder_scheduler() -> Any:
    return DDPMScheduler(
        beta_schedule="linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        prediction_type="epsilon",
        variance_type="learned_range",
    )


def _prior() -> Any:
    torch.manual_seed(0)
    prior = PriorTransformer(num_attention_heads=2, attention_head_dim=12, embedding_dim=_IDEA, num_layers=1)
    # It is divided by, and begins as zeros.
    prior.clip_std = torch.nn.Parameter(torch.ones(prior.clip_std.shape))
    return prior.eval()


def _image_encoder() -> Any:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=37,
        projection_dim=_IDEA,
        num_attention_heads=4,
        num_hidden_layers=2,
        image_size=32,
        patch_size=8,
    )
    return CLIPVisionModelWithProjection(config).eval()
