"""How pictures and convolutions lie in memory: channels beside each other; an autoencoder in half precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution


def channels_last(net: Any) -> None:
    """Convolutions of `net` with their channels beside each other, as the tensor cores of GPUs read them."""
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it


def halve(vae: Any) -> None:
    """Hold an autoencoder in bfloat16 that would compute in float32, since its numbers outgrow float16.

    It takes and gives what it did: noise for latents is drawn in the format that it came in before, and the same noise
    comes out of a seed.
    """
    vae.to(torch.bfloat16)
    vae.register_to_config(force_upcast=False)
    vae.encode = _encoding(vae.encode)
    vae.decode = _decoding(vae.decode)


def no_bfloat16(device: str) -> str | None:
    """Why nothing should be computed in bfloat16 here, or None."""
    if device != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False):
        return None
    return f"needs bfloat16, which {torch.cuda.get_device_name()} only imitates"


def _encoding(encode: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(encode)
    def call(picture: torch.Tensor, *args: Any, **told: Any) -> Any:
        found = encode(picture.to(torch.bfloat16), *args, **told)
        found.latent_dist = DiagonalGaussianDistribution(found.latent_dist.parameters.float())
        return found

    return call


def _decoding(decode: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(decode)
    def call(latents: torch.Tensor, *args: Any, **told: Any) -> Any:
        found = decode(latents.to(torch.bfloat16), *args, **told)
        if isinstance(found, tuple):
            return (found[0].float(), *found[1:])
        found.sample = found.sample.float()
        return found

    return call
