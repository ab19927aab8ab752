"""What every pipeline is to the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from inpaint_core.card import ModelCard
from inpaint_core.job import ParameterValue

#: H x W x 3, uint8, RGB.
Pixels: TypeAlias = npt.NDArray[np.uint8]
#: H x W, bool; True is repainted.
Region: TypeAlias = npt.NDArray[np.bool_]
#: Called after each step with (steps done, steps in all). May raise: the job was canceled, or the worker stops.
#: A pipeline lets that exception pass and is then ready for the next job.
StepCallback: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Edit:
    """One call of a pipeline. `parameters` are complete: the card's defaults are filled in."""

    image: Pixels
    region: Region
    seed: int
    prompt: str = ""
    negative_prompt: str = ""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    #: The attempt before ran out of memory: use every saver, whatever it costs in time.
    save_memory: bool = False


class Pipeline(Protocol):
    """A model in memory. One thread calls it at a time."""

    card: ModelCard

    def load(self) -> None:
        """Bring the weights into memory. Called once, before everything else."""

    def warm(self) -> None:
        """Run once on made-up input, so that the first job does not pay for compilation and lazy allocation."""

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """The whole picture, H x W x 3 uint8, repainted where `edit.region` is True.

        Other pixels may differ from the source: the worker puts the source's own back.
        May raise `GpuOutOfMemory`, `GpuContextBroken`, a `RequestError`, and whatever `on_step` raises.
        """
