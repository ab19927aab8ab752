"""How much the parts of a model weigh: numbers, bytes on a GPU, bytes on the hub. Counted from the architectures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from inpaint_core.card import ModelCard
from inpaint_worker.pipelines.fp8 import large_layers

from inpaint_benchmark.gpu.counting_networks import meta_network
from inpaint_benchmark.gpu.drawing import nf4_bytes
from inpaint_benchmark.gpu.networks import is_network, quantised_layers, stored
from inpaint_benchmark.gpu.planning import Piece, pieces, tensors

#: What holds weights of 8 bits where a card says fp8.
_NARROWED = "transformer"


@dataclass(frozen=True, slots=True)
class Weight:
    """One network of a model."""

    #: What the pipeline calls it; a LoRA by its role.
    component: str
    role: str
    #: Numbers, before they were quantised; without buffers.
    parameters: int
    #: As a worker holds it on a GPU: parameters, and buffers that are stored with them. 0 for a LoRA: it is added to
    #: the weights of another network, and let go.
    bytes: int
    #: As its repository has it.
    published_bytes: int


def weigh(card: ModelCard) -> list[Weight]:
    """Each network that a plain edit needs, in the order of the card."""
    dtype: torch.dtype = getattr(torch, card.dtype or "float32")
    in_8_bits = card.quantisation == "fp8"
    return [
        _weighed(piece, dtype, narrow=in_8_bits and piece.component == _NARROWED)
        for piece in pieces(card)
        if is_network(piece.part)
    ]


def _weighed(piece: Piece, dtype: torch.dtype, *, narrow: bool) -> Weight:
    network = meta_network(piece.part.name)
    published = tensors(piece, network, getattr(torch, piece.repository.dtype), seed=0, tiny=False)
    size = sum(one.bytes for one in published)
    if piece.repository.lora_of is not None:
        itemsize = getattr(torch, piece.repository.dtype).itemsize
        return Weight(piece.component, piece.role, size // itemsize, 0, size)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Weight(piece.component, piece.role, parameters, sum(_resident(piece, network, dtype, narrow)), size)


def _resident(piece: Piece, network: torch.nn.Module, dtype: torch.dtype, narrow: bool) -> Iterator[int]:
    quantised = piece.repository.quantisation is not None
    packed = quantised_layers(network, piece.repository.single) if quantised else set()
    single = _kept_single(piece, network, dtype)
    layers = large_layers(network) if narrow else {}
    for name, tensor in stored(network):
        layer, _, own = name.rpartition(".")
        if layer in packed and own == "weight":
            yield nf4_bytes(tensor.numel())
        elif layer in layers and own == "weight":
            yield tensor.numel() + tensor.shape[0] * torch.float32.itemsize  # a scale for each row
        elif tensor.is_floating_point():
            yield tensor.numel() * (4 if single & set(layer.split(".")) else dtype.itemsize)
        else:
            yield tensor.numel() * tensor.itemsize


def _kept_single(piece: Piece, network: torch.nn.Module, dtype: torch.dtype) -> set[str]:
    """Layers that transformers holds in float32 where float16 is asked for, such as `wo` of T5."""
    if piece.part.library != "transformers" or dtype is not torch.float16:
        return set()
    return set(getattr(network, "_keep_in_fp32_modules", None) or ())
