"""What a job's row asks for. Read before anything is fetched: what is not understood costs no download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from inpaint_core.card import ModelCard
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import WorkerBehind
from inpaint_core.guides import ControlType
from inpaint_core.job import printable
from inpaint_core.tiers import Tier
from inpaint_db.claims import Claimed
from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)
_NEWER = (
    "The job was submitted by a newer version than this worker's: it does not understand {what}. Upgrade the worker; "
    "the job waits for one that does."
)
_OTHER_CARD = (
    "The job has {what}, which by this worker's catalogue {model} cannot take: its producer's is newer, or changed by "
    "INPAINT_CATALOGUE. Give the worker the same; the job waits for one that can."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Mask, fit, output, guides and tier of a job."""

    edit: EditOptions
    #: None: the mask is a picture, or the transparency of the source.
    shapes: MaskShapes | None
    #: The model's defaults where the job does not say.
    reference_strength: float | None
    control_type: ControlType | None
    control_strength: float
    #: As the job says, else as this worker is set.
    tier: Tier

    @classmethod
    def of(cls, job: Claimed, card: ModelCard) -> Wanted:
        """`WorkerBehind` if a producer sent what this worker does not know, or its model cannot take."""
        shapes = None if job.mask_shapes is None else _understood(MaskShapes, job.mask_shapes)
        kind = _control_type(job.control_type)
        _check_guides(job, kind, card)
        tier = _tier(job.tier, card)
        by_default = None if card.reference is None else card.reference.strength
        binding = 0.0 if card.control is None else card.control.strength
        return cls(
            _understood(EditOptions, job.edit),
            shapes,
            by_default if job.reference_strength is None else job.reference_strength,
            kind,
            binding if job.control_strength is None else job.control_strength,
            tier,
        )

    def described(self, job: Claimed) -> dict[str, Any]:
        """What guided the edit and was left out of it, beside the parameters, as it is recorded with the attempt."""
        said: dict[str, Any] = {} if self.tier is Tier.EXACT else {"tier": self.tier.value}
        if job.reference_uri is not None:
            said["reference_strength"] = self.reference_strength
        if job.control_uri is not None:
            said |= {"control_type": job.control_type, "control_strength": self.control_strength}
        return said


def inputs_of(job: Claimed) -> Mapping[str, tuple[str, str | None]]:
    """The objects that a job reads, by role: address, and sha256 if it is known."""
    every = {
        "source": (job.source_uri, job.source_sha256),
        "mask": (job.mask_uri, job.mask_sha256),
        "reference": (job.reference_uri, job.reference_sha256),
        "control": (job.control_uri, job.control_sha256),
    }
    return {role: (uri, sha256) for role, (uri, sha256) in every.items() if uri is not None}


def _control_type(name: str | None) -> ControlType | None:
    if name is None:
        return None
    try:
        return ControlType(name)
    except ValueError:
        raise WorkerBehind(_NEWER.format(what=f"the control type {printable(name)}")) from None


def _tier(name: str, card: ModelCard) -> Tier:
    try:
        tier = Tier(name)
    except ValueError:
        raise WorkerBehind(_NEWER.format(what=f"the tier {printable(name)}")) from None
    if not offers(card, tier):
        raise WorkerBehind(_OTHER_CARD.format(what=f"the tier {tier}", model=card.name))
    return tier


def offers(card: ModelCard, tier: Tier) -> bool:
    """Whether a model runs in `tier`: every model runs in full."""
    return tier is Tier.EXACT or tier in card.tiers


def _check_guides(job: Claimed, kind: ControlType | None, card: ModelCard) -> None:
    """Painted without what guides it, a picture would mislead, and nothing would tell."""
    what = None
    if job.reference_uri is not None and card.reference is None:
        what = "a reference image"
    elif kind is not None and (card.control is None or kind not in card.control.types):
        what = f"a control image of the type {kind}"
    if what is not None:
        raise WorkerBehind(_OTHER_CARD.format(what=what, model=card.name))


def _understood(kind: type[_Model], stored: dict[str, Any]) -> _Model:
    """What the database holds of a request. It was checked when it came: only a newer producer's is not understood."""
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        names = ", ".join(printable(".".join(str(part) for part in item["loc"])) for item in error.errors()[:5])
        raise WorkerBehind(_NEWER.format(what=names or "it")) from None
