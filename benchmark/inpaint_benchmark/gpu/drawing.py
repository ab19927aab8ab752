"""The numbers of random weights, tensor by tensor."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

#: Signals neither die out nor grow beyond half precision over the depth of any model here.
_DEVIATION = 0.02
#: NF4 packs so many weights to a block, two to a byte, with a float32 for their scale.
BLOCK = 64
#: Ends of names; Kandinsky's prior multiplies by `clip_std`.
_ONES, _ZEROS = ("gamma", "clip_std"), ("bias",)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tensor that is drawn when its file is written: a name in the file, its size, and how."""

    name: str
    bytes: int
    draw: Callable[[str], dict[str, torch.Tensor]]


def drawn(name: str, like: torch.Tensor, dtype: torch.dtype, seed: int) -> Drawn:
    """A tensor as large as `like`. A buffer, which has its values, keeps them."""
    target = dtype if like.is_floating_point() else like.dtype

    def draw(device: str) -> dict[str, torch.Tensor]:
        if not isinstance(like, torch.nn.Parameter):
            return {name: like.detach().to(target).contiguous()}
        return {name: _filled(name, like.shape, target, device, seed).cpu()}

    return Drawn(name, like.numel() * target.itemsize, draw)


def drawn_nf4(name: str, like: torch.Tensor, seed: int) -> Drawn:
    """The weights of a linear layer, quantised by bitsandbytes, under the names that it looks for."""

    def draw(device: str) -> dict[str, torch.Tensor]:
        from bitsandbytes.functional import quantize_4bit

        whole = _filled(name, like.shape, torch.bfloat16, device, seed)
        packed, state = quantize_4bit(whole, blocksize=BLOCK, quant_type="nf4", compress_statistics=False)
        told = {f"{name}.{key}": tensor.cpu() for key, tensor in state.as_dict(packed=True).items()}
        return {name: packed.cpu(), **told}

    return Drawn(name, nf4_bytes(like.numel()), draw)


def nf4_bytes(count: int) -> int:
    """How much `count` weights take in NF4, with their scales."""
    return (count + 1) // 2 + 4 * -(-count // BLOCK)


def _filled(name: str, shape: torch.Size, dtype: torch.dtype, device: str, seed: int) -> torch.Tensor:
    tensor = torch.empty(shape, dtype=dtype, device=device)
    own = name.rpartition(".")[2]
    if own in _ZEROS:
        return tensor.zero_()
    if own in _ONES or (own == "weight" and tensor.ndim == 1):  # a norm's: all others have two dimensions
        return tensor.fill_(1)
    # By name, so that a tensor does not depend on those before it.
    numbers = torch.Generator(device).manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    return tensor.normal_(0, _DEVIATION, generator=numbers)
