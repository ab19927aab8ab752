"""The parts that models share: tokenizers, text encoders, autoencoders. Same seed, same weights."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

#: 512 symbols of bytes, and the two that open and close a text.
CLIP_VOCABULARY = 514
_OPEN, _CLOSE = "<|startoftext|>", "<|endoftext|>"
_T5_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-"


def clip_tokenizer(pad: str = _CLOSE) -> Any:
    """CLIP's, with bytes for its only words. SD2 and the second of SDXL pad with "!"."""
    letters = printable_bytes()
    words = ["!", *(letter for letter in letters if letter != "!"), *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate([*words, _OPEN, _CLOSE])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77, pad_token=pad)


def clip_text(
    hidden: int = 32, projection: int | None = None, layers: int = 2, act: str = "gelu", seed: int = 0
) -> Any:
    """A text encoder of CLIP; with a projection where `projection` says how wide."""
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
        hidden_size=hidden,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=layers,
        vocab_size=CLIP_VOCABULARY,
        hidden_act=act,
        projection_dim=projection or hidden,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5_tokenizer(longest: int = 512) -> Any:
    """T5's, with letters for its only words."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in _T5_LETTERS)]
    return T5TokenizerFast(vocab=words, extra_ids=0, additional_special_tokens=None, model_max_length=longest)


def t5_text(width: int = 32, inner: int = 64, seed: int = 0) -> Any:
    """The encoder of T5. Widths that are multiples of 64 can be quantised to NF4."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=128,
        d_model=width,
        d_kv=width // 4,
        d_ff=inner,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return T5EncoderModel(config).eval()


def autoencoder(
    latent_channels: int = 4,
    scaling: float = 0.18215,
    shift: float | None = None,
    *,
    quant: bool = True,
    blocks: int = 4,
    channels: int = 4,
    sample: int = 64,
    seed: int = 0,
) -> Any:
    """An AutoencoderKL. Four blocks make latents an eighth as large, as in every model here."""
    torch.manual_seed(seed)
    return AutoencoderKL(
        sample_size=sample,
        in_channels=3,
        out_channels=3,
        block_out_channels=(channels,) * blocks,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=1,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
        scaling_factor=scaling,
        shift_factor=shift,
    ).eval()


def printable_bytes() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + number) for number in range(len(hidden))]
