"""Networks on the meta device that stand in a pipeline as if they were on the CPU, and note what they compute."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.flop_counter import FlopCounterMode

from inpaint_benchmark.gpu.architectures import part
from inpaint_benchmark.gpu.networks import build

#: What pipelines call of a network; the last is of Kandinsky's prior, and needs its weights.
_METHODS = ("forward", "encode", "decode", "post_process_latents")
#: Outputs of more numbers, such as hints of ControlNets, only pass through a pipeline: they are given no memory.
_MOST_NUMBERS = 8_000_000


@dataclass(slots=True)
class Tally:
    """What the calls of one network computed."""

    flops: int = 0
    calls: int = 0


#: (FLOPs, output on the CPU) by part, method and signature: fifty steps are counted once, and so is what models share.
_ANSWERS: dict[Hashable, tuple[int, Any]] = {}


@functools.cache
def meta_network(name: str) -> Any:
    """The network of the part of that name in full size, without memory; made once, and shared."""
    network = build(part(name), buffers=False)
    if part(name).library == "transformers":
        # With the other kernels, which compute as much, it looks whether a mask leaves all as it is; without memory
        # there is nothing to be seen.
        network.set_attn_implementation("eager")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # pipelines of FLUX.2 read its statistics themselves
            module.running_mean = torch.zeros(module.num_features)
            module.running_var = torch.ones(module.num_features)
    return network


def counting(name: str, tally: Tally) -> Any:
    """A network like `meta_network(name)` that takes and gives tensors on the CPU, and adds its calls to `tally`.

    What it gives is random and of the right shape. What is done to the network itself is not done to others.
    """
    whole = meta_network(name)
    kind: Any = type(whole)
    told = {"__module__": kind.__module__, "device": torch.device("cpu")}
    on_cpu: Any = type(kind.__name__, (kind,), told)
    network = on_cpu.__new__(on_cpu)
    copied = {own: dict(getattr(whole, own)) for own in ("_parameters", "_buffers", "_modules")}
    network.__dict__.update({**vars(whole), **copied})
    for method in _METHODS:
        if hasattr(kind, method):
            setattr(network, method, functools.partial(_count, network, name, method, getattr(kind, method), tally))
    return network


def _count(network: Any, name: str, method: str, real: Any, tally: Tally, /, *args: Any, **kwargs: Any) -> Any:
    key = (name, method, _signature((args, kwargs)))
    if key not in _ANSWERS:
        inputs, named = tree_map(_to_meta, (args, kwargs))
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            output = real(network, *inputs, **named)
        _ANSWERS[key] = counter.get_total_flops(), tree_map(_made_up, output)
    flops, output = _ANSWERS[key]
    tally.flops += flops
    tally.calls += flops > 0
    return output


def _signature(value: Any) -> Hashable:
    leaves, structure = tree_flatten(value)
    return str(structure), tuple(
        (tuple(leaf.shape), str(leaf.dtype)) if isinstance(leaf, torch.Tensor) else repr(leaf) for leaf in leaves
    )


def _to_meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _made_up(value: Any) -> Any:
    if isinstance(value, DiagonalGaussianDistribution):
        return DiagonalGaussianDistribution(_made_up(value.parameters))
    if not isinstance(value, torch.Tensor):
        return value
    if not value.is_floating_point() or value.numel() > _MOST_NUMBERS:
        return torch.zeros((), dtype=value.dtype).expand(value.shape)
    return torch.randn(value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(0))
