"""What a job computes and what its model weighs, counted without weights, memory or GPU on torch's meta device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inpaint_core.card import ModelCard
from inpaint_core.job import ParameterValue


@dataclass(frozen=True, slots=True)
class ComponentCount:
    """One network of a pipeline, such as `transformer` or `vae`."""

    parameters: int
    #: As a worker on a GPU holds it: parameters and buffers in the card's number format, or quantised.
    bytes: int
    #: Floating point operations in the whole job; a multiplication with an addition counts as two.
    flops: int
    #: Calls in the whole job.
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

    Args:
        card: any of the catalogue that diffusers runs.
        width: pixels, as the pipeline gets them, so a shape that the card's size rule allows.
        height: likewise.
        parameters: of the job; the card's defaults for the others.
    """
    raise NotImplementedError
