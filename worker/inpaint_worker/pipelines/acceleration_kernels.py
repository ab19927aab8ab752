"""Kernels of attention: which there are on this machine, and computing with one of them."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch
from diffusers import attention_backend
from inpaint_core.acceleration import ATTENTION

#: What diffusers calls them. Those that it would fetch from the hub are not among them: they are somebody's code. Nor
#: those of SageAttention, which compute in 8 bits.
_NAMES = {
    "native": "native",
    "cudnn": "_native_cudnn",
    "efficient": "_native_efficient",
    "flash": "flash",
    "flash-3": "_flash_3",
    "xformers": "xformers",
}
_HOPPER = 9


def attending(name: str | None) -> AbstractContextManager[None]:
    """While this lasts, networks attend with the kernel `name`; None: with diffusers' own choice.

    A network's `set_attention_backend()` would change all others of the process as well, and not back.
    """
    return contextlib.nullcontext() if name is None else attention_backend(_NAMES[name])


def no_kernel(name: str, device: str) -> str | None:
    """Why attention cannot be computed with it here, or None."""
    reason = _hindrance(name, device)
    if reason is None:
        return None
    there = [other for other in ATTENTION if _hindrance(other, device) is None]
    return f"{reason}; there are: {', '.join(there)}"


def _hindrance(name: str, device: str) -> str | None:
    if name != "native" and device != "cuda":
        return "is for GPUs, and the model runs on the CPU"
    if name == "flash-3" and torch.cuda.get_device_capability()[0] != _HOPPER:
        return f"is for Hopper GPUs, and {torch.cuda.get_device_name()} is none"
    try:
        with attending(name):
            return None
    except RuntimeError:
        return f"needs {ATTENTION[name]}, which is not installed here, or too old for diffusers"
