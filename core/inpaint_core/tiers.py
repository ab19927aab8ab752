"""How exactly a job's picture is computed: in full, or with steps that are guessed from those before."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Tier(StrEnum):
    """What a job may give up for speed. The tier that an attempt ran in is recorded with it."""

    #: Every step in full, as the model's authors do.
    EXACT = "exact"
    #: Some work is left out where the picture hardly changes.
    FAST = "fast"
    #: More is left out: for drafts.
    TURBO = "turbo"


#: Those that a card describes; the exact one needs no words.
LOSSY = (Tier.FAST, Tier.TURBO)


def _off(value: object) -> object:
    """`false` takes away what a card has: TOML has no null."""
    return None if value is False else value


class TierUse(BaseModel):
    """What a model leaves out in a tier. How much of the picture that costs, only a measurement can say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    step_cache: Annotated[
        Annotated[float, Field(gt=0, le=1)] | None,
        BeforeValidator(_off),
        Field(
            description="First-block cache: a step is guessed whose first block adds what it added at the last "
            "computed step, but for less than this share of it (mean absolute difference)",
        ),
    ] = None
    guidance_until: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | None,
        BeforeValidator(_off),
        Field(description="Classifier-free guidance for this share of the steps, from the first; then for none"),
    ] = None

    @model_validator(mode="after")
    def _leaves_something_out(self) -> TierUse:
        if not self.elements:
            raise ValueError("must have a step_cache or a guidance_until: without, it is the tier exact")
        return self

    @property
    def elements(self) -> tuple[str, ...]:
        """What it consists of, by the names of its fields."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)
