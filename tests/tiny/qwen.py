"""Tokenizer and language models of the Qwen family, which newer models read their prompts with."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tiny.parts import printable_bytes

HIDDEN = 16
_END, _OPEN, _CLOSE = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_SEEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
#: What Qwen-Image says to its text encoder before a prompt. It drops 34 tokens for it, so each word must be one.
_WORDS = [
    *("system", "user", "Describe", "Ġthe", "Ġimage", "Ġby", "Ġdetailing", "Ġcolor", "Ġshape", "Ġsize", "Ġtexture"),
    *("Ġquantity", "Ġtext", "Ġspatial", "Ġrelationships", "Ġof", "Ġobjects", "Ġand", "Ġbackground"),
]
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen_tokenizer() -> Any:
    """Bytes, a few words, and the signs of a chat."""
    # Each word grows letter by letter.
    merges = dict.fromkeys(pair for word in _WORDS for pair in zip(accumulate(word), word[1:], strict=False))
    special = [_END, _OPEN, _CLOSE, *_SEEN]
    vocabulary = dict.fromkeys([*printable_bytes(), *("".join(pair) for pair in merges), *special])
    numbered = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Qwen2Tokenizer(
        vocab=numbered, merges=list(merges), model_max_length=512, additional_special_tokens=special[1:]
    )
    tokenizer.chat_template = _CHAT
    return tokenizer


def qwen3(layers: int, seed: int = 0) -> Any:
    """The language model that reads for FLUX.2 [klein] and Z-Image."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        hidden_size=HIDDEN,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=len(qwen_tokenizer()),
        max_position_embeddings=512,
        # Else random layers drown what the first of them knew of the prompt.
        initializer_range=0.2,
    )
    return Qwen3ForCausalLM(config).eval()


def qwen_vl(seed: int = 0) -> Any:
    """The language model with eyes that reads for Qwen-Image. Its eyes stay shut."""
    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(_SEEN))
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": HIDDEN,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
            "max_position_embeddings": 4096,
            "vocab_size": len(tokenizer),
            "initializer_range": 0.2,
        },
        vision_config={
            "depth": 1,
            "hidden_size": HIDDEN,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": HIDDEN,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "window_size": 56,
            "fullatt_block_indexes": [0],
        },
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()
