"""Remembering what text encoders made of a prompt: a campaign repeats its own thousands of times."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch

#: Prompts that are remembered. Those of FLUX take 4 MB each, of Qwen-Image and klein up to 8.
_REMEMBERED = 32
_PLAIN = (str, int, float, bool, type(None), torch.device, torch.dtype)


def remember_prompts(pipe: Any, name: str = "encode_prompt") -> Callable[[], None]:
    """Replace `pipe.encode_prompt` by one that remembers; what it returns is the same, bit for bit.

    A call with tensors among its arguments (embeddings that were made before) is passed on. Returns what forgets all:
    for when the GPU is full.
    """
    encode: Callable[..., Any] = getattr(pipe, name)
    known: OrderedDict[Hashable, Any] = OrderedDict()

    def remembering(*args: Any, **kwargs: Any) -> Any:
        key = _key((args, sorted(kwargs.items())))
        if key is None:
            return encode(*args, **kwargs)
        if key in known:
            known.move_to_end(key)
        else:
            known[key] = encode(*args, **kwargs)
            while len(known) > _REMEMBERED:
                known.popitem(last=False)
        return _copied(known[key])  # a pipeline may write into what it is given

    setattr(pipe, name, remembering)
    return known.clear


def _key(value: Any) -> Hashable | None:
    """The arguments as something that can be looked up; None if they cannot be."""
    if isinstance(value, _PLAIN):
        return (type(value).__name__, value)
    if isinstance(value, list | tuple):
        parts = [_key(part) for part in value]
        return None if None in parts else tuple(parts)
    return None


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    return type(value)(_copied(part) for part in value) if isinstance(value, list | tuple) else value
