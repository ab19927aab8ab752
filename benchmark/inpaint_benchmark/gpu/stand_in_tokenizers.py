"""Tokenizers in place of the published ones: they know bytes, and pad to the same lengths.

Their ids lie below the published vocabularies, so networks in full size take them. A prompt becomes more tokens than
with whole words, which changes nothing where prompts are padded: everywhere but in Z-Image and Qwen-Image.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from transformers import CLIPTokenizer, Qwen2Tokenizer, T5TokenizerFast

from inpaint_benchmark.gpu.architectures import Part

_CLIP_OPEN, _CLIP_CLOSE = "<|startoftext|>", "<|endoftext|>"
_CLIP_LENGTH = 77
_T5_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-"
_QWEN_END, _QWEN_OPEN, _QWEN_CLOSE = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_QWEN_SEEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_QWEN_LENGTH = 131072
#: What Qwen-Image says to its text encoder before a prompt. It drops 34 tokens for it, so each word must be one.
_QWEN_WORDS = (
    *("system", "user", "Describe", "Ġthe", "Ġimage", "Ġby", "Ġdetailing", "Ġcolor", "Ġshape", "Ġsize", "Ġtexture"),
    *("Ġquantity", "Ġtext", "Ġspatial", "Ġrelationships", "Ġof", "Ġobjects", "Ġand", "Ġbackground"),
)
_QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def stand_in(part: Part) -> Any:
    """The tokenizer of `part`."""
    made: dict[str, Callable[..., Any]] = {"clip": _clip, "t5": _t5, "qwen": _qwen}
    return made[str(part.stand_in)](**part.config)


def _clip(pad_token: str) -> Any:
    letters = _printable_bytes()
    words = ["!", *(letter for letter in letters if letter != "!"), *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate([*words, _CLIP_OPEN, _CLIP_CLOSE])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=_CLIP_LENGTH, pad_token=pad_token)


def _t5(model_max_length: int) -> Any:
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in _T5_LETTERS)]
    return T5TokenizerFast(vocab=words, extra_ids=0, additional_special_tokens=None, model_max_length=model_max_length)


def _qwen() -> Any:
    # Each word grows letter by letter.
    merges = dict.fromkeys(pair for word in _QWEN_WORDS for pair in zip(accumulate(word), word[1:], strict=False))
    special = [_QWEN_END, _QWEN_OPEN, _QWEN_CLOSE, *_QWEN_SEEN]
    vocabulary = dict.fromkeys([*_printable_bytes(), *("".join(pair) for pair in merges), *special])
    numbered = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Qwen2Tokenizer(
        vocab=numbered, merges=list(merges), model_max_length=_QWEN_LENGTH, additional_special_tokens=special[1:]
    )
    tokenizer.chat_template = _QWEN_CHAT
    return tokenizer


def _printable_bytes() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + number) for number in range(len(hidden))]
