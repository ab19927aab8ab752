"""What a job computes and what its model weighs, counted without weights, memory or GPU on torch's meta device.

The worker's own pipeline is loaded with tiny weights; then networks in full size, on the meta device, take the places
of the tiny ones, and one job is run. So steps, guidance, ControlNets, text encoders and the autoencoder are counted as
they are called.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from diffusers import ZImageControlNetModel
from inpaint_core.card import ModelCard
from inpaint_core.job import ParameterValue
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines.diffusers import DiffusersPipeline

from inpaint_benchmark.gpu.architectures import repository
from inpaint_benchmark.gpu.counting_networks import Tally, counting
from inpaint_benchmark.gpu.networks import is_network
from inpaint_benchmark.gpu.planning import pieces
from inpaint_benchmark.gpu.random_weights import write_weights
from inpaint_benchmark.gpu.weighing import weigh

#: Z-Image and Qwen-Image compute less for a shorter prompt; the others pad it.
PROMPT = "a white orchid in a grey pot on the table, in soft light from the window"


@dataclass(frozen=True, slots=True)
class ComponentCount:
    """One network of a pipeline, such as `transformer` or `vae`."""

    parameters: int
    #: As a worker on a GPU holds it: parameters and stored buffers in the card's number format, or quantised.
    bytes: int
    #: Floating point operations in the whole job; a multiplication with an addition counts as two.
    flops: int
    #: Calls in the whole job, of a network or of an autoencoder's half.
    calls: int


@dataclass(frozen=True, slots=True)
class JobCount:
    """One job of one model."""

    model: str
    width: int
    height: int
    #: Complete: the card's defaults are filled in.
    parameters: Mapping[str, ParameterValue]
    #: By their names in the pipeline.
    components: Mapping[str, ComponentCount]

    @property
    def flops(self) -> int:
        """Of all components."""
        return sum(component.flops for component in self.components.values())

    @property
    def bytes(self) -> int:
        """What the worker holds resident: the weights of all components."""
        return sum(component.bytes for component in self.components.values())


def count_job(
    card: ModelCard, width: int, height: int, parameters: Mapping[str, ParameterValue] | None = None
) -> JobCount:
    """Count a whole job in tier exact, as the worker's own pipeline calls its networks, on a prompt it has not seen.

    A LoRA is part of the network that it changes and costs nothing. Quantised weights are multiplied as whole ones:
    what it takes to unpack them is not counted. Attention counts in full where it is causal, too.

    Args:
        card: any of the catalogue that diffusers runs.
        width: pixels, as the pipeline gets them, so a shape that the card's size rule allows.
        height: likewise.
        parameters: of the job; the card's defaults for the others.

    Raises:
        OperatorError: a card that names a repository whose architecture is not known here.
    """
    resolved = card.resolve(dict(parameters or {}))
    tallies = _run(_whole(card), _edit(width, height, resolved))
    components = {}
    for weight in weigh(card):
        if weight.component in tallies:
            tally = tallies[weight.component]
            components[weight.component] = ComponentCount(weight.parameters, weight.bytes, tally.flops, tally.calls)
    return JobCount(card.name, width, height, resolved, components)


def _run(card: ModelCard, edit: Edit) -> dict[str, Tally]:
    with tempfile.TemporaryDirectory() as folder:
        write_weights(card, Path(folder), tiny=True)
        settings = load_settings(device="cpu", weights_dir=Path(folder), accelerate="none", tiling="never")
        pipeline = build_pipeline(card, settings)
        assert isinstance(pipeline, DiffusersPipeline)  # noqa: S101  (any that has architectures here)
        pipeline.load()
        tallies: dict[str, Tally] = {}
        for piece in pieces(card):
            if is_network(piece.part) and piece.repository.lora_of is None:
                tally = tallies[piece.component] = Tally()
                for holder, name in _places(pipeline.pipe, piece.component):
                    setattr(holder, name, counting(piece.part.name, tally))
        _share(pipeline.pipe)
        pipeline.run(edit, lambda _done, _total: None)
    return tallies


def _places(pipe: Any, component: str) -> Iterator[tuple[Any, str]]:
    """Where a pipeline keeps it: Kandinsky's consists of two others, which keep it as well."""
    yield pipe, component
    if hasattr(pipe, "decoder_pipe"):
        own = component.removeprefix("prior_")
        yield (pipe.decoder_pipe, component) if own == component else (pipe.prior_pipe, own)


def _share(pipe: Any) -> None:
    """Z-Image's ControlNet uses parts of the transformer, which are given to it where a pipeline is made."""
    if isinstance(getattr(pipe, "controlnet", None), ZImageControlNetModel):
        ZImageControlNetModel.from_transformer(pipe.controlnet, pipe.transformer)


def _edit(width: int, height: int, parameters: dict[str, ParameterValue]) -> Edit:
    region = np.zeros((height, width), np.bool_)
    region[height // 4 : height // 2, width // 4 : width // 2] = True
    return Edit(np.full((height, width, 3), 127, np.uint8), region, seed=0, prompt=PROMPT, parameters=parameters)


def _whole(card: ModelCard) -> ModelCard:
    """The same model without quantisation: its networks are called in the same way, and no GPU is asked for."""
    if card.quantisation is None:
        return card
    weights = {
        role: weights.model_copy(update={"folders": ()})
        for role, weights in card.weights.items()
        if weights.needed_for is None and repository(weights.repo).quantisation is None
    }
    return card.model_copy(update={"quantisation": None, "reference": None, "control": None, "weights": weights})
