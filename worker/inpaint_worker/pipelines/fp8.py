"""Weights and activations of 8 bits (fp8, e4m3) in the blocks of a transformer: half the memory, quicker products.

Each row of a weight, and each token, has a scale of its own, as in torchao's
`Float8DynamicActivationFloat8WeightConfig` with `PerRow`: tokens are measured as they come. The product is one call of
torch, on a CPU as well, where torchao has none. What is small, and what is sensitive, keeps its format: norms and what
modulates them, embedders, and the projection at the end. Measuring and narrowing take many small kernels of a GPU
unless the blocks are compiled.
"""

from __future__ import annotations

from typing import Any

import torch
from inpaint_core.card import ModelCard
from inpaint_core.errors import DeviceTooSmall

from inpaint_worker.pipelines.acceleration_compiling import BLOCKS

_FP8 = torch.float8_e4m3fn
_HIGHEST = torch.finfo(_FP8).max
#: Of layers with fewer inputs or outputs, measuring the tokens takes longer than the product.
_SMALLEST = 256
#: How norms are called, and what modulates them: `norm1.linear`, `img_mod.1`, `adaLN_modulation.0`.
_KEPT = ("norm", "_mod")
#: What the product asks of both sides.
_MULTIPLE_OF = 16
_CAPABILITY = (8, 9)


def require_fp8(card: ModelCard) -> None:
    """Raise `DeviceTooSmall` unless the GPU multiplies numbers of 8 bits."""
    found = torch.cuda.get_device_capability()
    if found < _CAPABILITY:
        need, have = (".".join(map(str, each)) for each in (_CAPABILITY, found))
        raise DeviceTooSmall(
            f"{card.name} computes in 8 bits (fp8), which needs a GPU of compute capability {need} or more (Ada, "
            f"Hopper or newer), and {torch.cuda.get_device_name()} has {have}. Serve it without quantisation there.",
            need_capability=need,
            have_capability=have,
        )


def quantise(network: torch.nn.Module, device: str) -> int:
    """Give the large linear layers in the blocks of `network` weights of 8 bits; how many these were.

    Each is converted on `device`, and stays where it was.
    """
    layers = large_layers(network)
    for path, layer in layers.items():
        parent, _, name = path.rpartition(".")
        setattr(network.get_submodule(parent), name, Fp8Linear(layer, device))
    return len(layers)


def large_layers(network: torch.nn.Module) -> dict[str, torch.nn.Linear]:
    """Those that `quantise` narrows, by their place in `network`."""
    return {
        f"{block}.{path}": layer
        for block, module in network.named_modules()
        if type(module).__name__ in BLOCKS
        for path, layer in module.named_modules()
        if _is_large(layer) and not any(word in path for word in _KEPT)
    }


def _is_large(layer: Any) -> bool:
    if type(layer) is not torch.nn.Linear:
        return False
    sides = layer.in_features, layer.out_features
    return min(sides) >= _SMALLEST and not any(side % _MULTIPLE_OF for side in sides)


class Fp8Linear(torch.nn.Module):
    """A linear layer whose weight has 8 bits, and whose inputs get them. It takes and gives what `layer` did."""

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, layer: torch.nn.Linear, device: str) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        where = layer.weight.device
        weight, scale = narrowed(layer.weight.detach().to(device))
        # Not parameters: of those diffusers takes the first one's type for the type of the whole.
        self.register_buffer("weight", weight.to(where))
        self.register_buffer("scale", scale.T.contiguous().to(where))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """... x in_features to ... x out_features."""
        narrow, scale = narrowed(tokens.reshape(-1, self.in_features))
        made = torch._scaled_mm(
            narrow,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale,
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        ).to(tokens.dtype)
        made = made if self.bias is None else made + self.bias
        return made.reshape(*tokens.shape[:-1], self.out_features)


def narrowed(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """N x M as N x M in 8 bits, and the N x 1 numbers (float32) that each row is to be multiplied by."""
    scale = (rows.abs().amax(-1, keepdim=True).float() / _HIGHEST).clamp(min=torch.finfo(torch.float32).tiny)
    return (rows.float() / scale).clamp(-_HIGHEST, _HIGHEST).to(_FP8), scale
