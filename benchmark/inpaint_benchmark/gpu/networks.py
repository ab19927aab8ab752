"""Networks of the architectures beside this file, built without memory for their weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]

from inpaint_benchmark.gpu.architectures import Part


def build(part: Part, *, tiny: bool = False, buffers: bool = True) -> Any:
    """The network of `part`: parameters on the meta device, and buffers with their values unless `buffers` is False."""
    kind, config = part.held(), part.configured(tiny=tiny)
    with init_empty_weights(include_buffers=False) if buffers else torch.device("meta"):
        network = kind(kind.config_class(**config)) if part.library == "transformers" else kind(**config)
    if hasattr(network, "tie_weights"):
        network.tie_weights()  # without memory each name was given a tensor of its own
    return network.eval().requires_grad_(False)


def is_network(part: Part) -> bool:
    """Whether it has weights: not a scheduler, a tokenizer, or what prepares pictures."""
    return isinstance(part.held(), type) and issubclass(part.held(), torch.nn.Module)


def stored(network: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """What its file holds, by name: parameters, once where two names share one, and buffers that are kept."""
    seen: set[int] = set()
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor


def quantised_layers(network: torch.nn.Module, single: tuple[str, ...]) -> set[str]:
    """Names of the linear layers that bitsandbytes quantises: all whose own name is not in `single`."""
    return {
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] not in single
    }
