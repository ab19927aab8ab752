"""What `random_weights` has to write for a model: each part of each repository, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from inpaint_core.card import ModelCard
from inpaint_core.errors import OperatorError
from inpaint_core.weights import Weights

from inpaint_benchmark.gpu.architectures import Part, Repository, part, repository
from inpaint_benchmark.gpu.drawing import Drawn, drawn, drawn_nf4
from inpaint_benchmark.gpu.networks import build, quantised_layers, stored

#: A tiny model's LoRA has this rank.
_TINY_RANK = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of one repository, which has a folder or file of its own."""

    repository: Repository
    weights: Weights
    #: Of the weights on the card.
    role: str
    part: Part
    #: Below the folder of the repository; empty for its root.
    folder: str

    def place(self, root: Path) -> Path:
        """Its folder."""
        return root / self.repository.name / self.folder

    @property
    def component(self) -> str:
        """What the pipeline calls it. Those of Kandinsky's second repository are called by it, too."""
        if not self.folder:
            return self.role
        return f"prior_{self.folder}" if self.role == "prior" else self.folder


def pieces(card: ModelCard) -> Iterator[Piece]:
    """All that a plain edit needs, in the order of the card; `OperatorError` for what is not known."""
    if not any(weights.needed_for is None for weights in card.weights.values()):
        raise OperatorError(f"{card.name} reads no weights, so that none can be made up for it.")
    for role, weights in card.weights.items():
        if weights.needed_for is not None:
            continue
        found = repository(weights.repo)
        single = found.whole or found.file or found.lora_of
        if single is not None:
            yield Piece(found, weights, role, part(single), "")
            continue
        for folder in weights.folders or found.parts:
            if folder not in found.parts:
                known = ", ".join(found.parts)
                raise OperatorError(f"{card.name} reads {folder} of {found.name}, of which only {known} is known here.")
            yield Piece(found, weights, role, part(found.parts[folder]), folder)


def tensors(piece: Piece, network: torch.nn.Module, dtype: torch.dtype, seed: int, *, tiny: bool) -> list[Drawn]:
    """What the files of a network hold."""
    found = piece.repository
    if found.lora_of is not None:
        return list(_lora(network, dtype, seed, _TINY_RANK if tiny else found.lora_rank))
    if found.quantisation is None:
        return [drawn(name, tensor, dtype, seed) for name, tensor in stored(network)]
    packed = quantised_layers(network, found.single)
    listed = []
    for name, tensor in stored(network):
        layer, _, own = name.rpartition(".")
        if layer in packed and own == "weight":
            listed.append(drawn_nf4(name, tensor, seed))
        else:
            whole = torch.float32 if layer.rpartition(".")[2] in found.single else dtype
            listed.append(drawn(name, tensor, whole, seed))
    return listed


def network_of(piece: Piece, *, tiny: bool) -> torch.nn.Module:
    """The network, without memory for its weights; for a LoRA the one that it adapts."""
    network: torch.nn.Module = build(piece.part, tiny=tiny)
    return network


def _lora(network: torch.nn.Module, dtype: torch.dtype, seed: int, rank: int) -> Iterator[Drawn]:
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear):
            for half, shape in (("A", (rank, layer.in_features)), ("B", (layer.out_features, rank))):
                like = torch.nn.Parameter(torch.empty(shape, device="meta"), requires_grad=False)
                yield drawn(f"transformer.{name}.lora_{half}.weight", like, dtype, seed)
