"""What every pipeline is to the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from inpaint_core.card import ModelCard
from inpaint_core.guides import ControlType
from inpaint_core.job import ParameterValue
from inpaint_core.tiers import Tier

from inpaint_worker.arrays import Pixels, Region

#: Called after each step with (steps done, steps in all). May raise: the job was canceled, or the worker stops.
#: A pipeline lets that exception pass and is then ready for the next job.
StepCallback: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of what belongs into the region."""

    #: H x W x 3 of its own size, sRGB; at most a megapixel or so.
    image: Pixels
    #: 0 (no influence) to 1; None where the card says that the model has no such setting.
    strength: float | None


@dataclass(frozen=True, slots=True)
class Control:
    """A map of lines, depths or joints that the painted picture is to follow."""

    #: H x W x 3, of the height and width of the edit's image.
    image: Pixels
    kind: ControlType
    #: Scale of its ControlNet; 0: no influence.
    strength: float


@dataclass(frozen=True, slots=True)
class Edit:
    """One call of a pipeline. `parameters` are complete: the card's defaults are filled in.

    The picture comes in one of the shapes that the card's size rule allows (`inpaint_worker.geometry.buckets`): no
    pipeline crops, scales or pads.
    """

    image: Pixels
    #: Of the same height and width; True is repainted.
    region: Region
    seed: int
    prompt: str = ""
    negative_prompt: str = ""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    reference: Reference | None = None
    control: Control | None = None
    #: What may be left out; one of those that the card has.
    tier: Tier = Tier.EXACT
    #: The attempt before ran out of memory: save what can be saved, whatever it costs in time.
    save_memory: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """How often a run asked the network of its steps, in pictures: with guidance, a step asks for two."""

    #: As in full.
    passes: int
    #: Those that were computed from the first block to the last.
    computed: int

    def __add__(self, other: Work) -> Work:
        return Work(self.passes + other.passes, self.computed + other.computed)

    def described(self) -> dict[str, int]:
        """As it is recorded with an attempt, beside its parameters."""
        return {"network_passes": self.passes, "network_passes_computed": self.computed}


class Pipeline(Protocol):
    """A model in memory. One thread loads, warms and runs it."""

    card: ModelCard

    def load(self) -> None:
        """Bring the weights into memory. Called once, before everything else."""

    def described(self) -> dict[str, object]:
        """How the model is held, once it is loaded, as far as that can change a picture or its time."""

    def warm(self) -> None:
        """Run once on made-up input, so that the first job does not pay for compilation and lazy allocation."""

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """The whole picture, as large as `edit.image`, repainted where `edit.region` is True.

        Other pixels may differ from the source: they are measured, and the source's own are put back.
        May raise `GpuOutOfMemory`, `GpuContextBroken`, a `RequestError`, and whatever `on_step` raises.
        """


def work_of(pipeline: Pipeline) -> Work | None:
    """What the last run of `pipeline` came to, if its tier allows to leave something out."""
    work: Work | None = getattr(pipeline, "work", None)
    return work
