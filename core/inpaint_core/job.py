"""What a job asks for, and the message that brings it to a worker: the contract of the fleet.

Version 1 of the message is described in docs/contract.md, and as JSON Schema in contract.schema.json beside this file.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from inpaint_core.edit import ALPHA, EditOptions, MaskShapes
from inpaint_core.errors import InvalidRequest
from inpaint_core.guides import CONTROL_STRENGTH, REFERENCE_STRENGTH, ControlType
from inpaint_core.status import MaskKind, Priority
from inpaint_core.storage import ObjectRef
from inpaint_core.tiers import Tier

CONTRACT_VERSION: Final = 1
TASK_NAME = "inpaint.run"
#: A prompt longer than any text encoder reads (T5 takes 512 tokens, about 2,000 characters).
MAX_PROMPT = 4_000
#: torch accepts 64 bits, JavaScript and some samplers do not: 32 bits are read alike by all.
MAX_SEED = 2**32 - 1
#: Variants of one edit. More than anybody looks at side by side; what needs more is several jobs.
MAX_OUTPUTS = 8

Label = Annotated[str, Field(min_length=1, max_length=200)]
#: The pattern is for the JSON Schema alone: `ObjectRef.parse` checks more, and says more.
Address = Annotated[
    str, Field(max_length=1200, json_schema_extra={"pattern": "^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+"})
]
ParameterValue = bool | int | float | str
_WHAT_IS_ASKED = {"model", "source", "mask", "prompt", "negative_prompt", "seed", "parameters"}
#: Fields that came later, each with its default. Left out of the fingerprint where they have it: that of a request from
#: before there were such fields stays what it was.
_ADDED = {
    "reference_image": None,
    "reference_strength": None,
    "control_image": None,
    "control_type": None,
    "control_strength": None,
    "outputs": 1,
    "tier": None,
}
#: What a mask may be, as a refusal says it.
MASK_FORMS = "must be s3://bucket/key, 'alpha', or an object of boxes and polygons"


def _kind_of_mask(value: object) -> str:
    # Told apart here, so that an error speaks of the one form that was meant.
    if isinstance(value, dict | MaskShapes):
        return "shapes"
    return "alpha" if value == ALPHA else "object"


Mask = Annotated[
    Annotated[Address, Tag("object")]
    | Annotated[Literal["alpha"], Tag("alpha")]
    | Annotated[MaskShapes, Tag("shapes")],
    Discriminator(_kind_of_mask),
]


class JobRequest(BaseModel):
    """One edit: repaint what `mask` marks in `source`, after `prompt`, with `model`.

    `source` names an object as `s3://bucket/key`. `mask` does, too, or is "alpha" (the transparency of the source),
    or boxes and polygons. The picture of a mask is white where the source is repainted and black where it is kept, and
    as large as the source, unless `edit` says otherwise.
    """

    # Postgres' JSON holds neither NaN nor infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, max_length=100, description="Name of a model card")]
    source: Annotated[Address, Field(description="s3://bucket/key of the image to edit")]
    mask: Annotated[
        Mask, Field(description="s3://bucket/key of the mask (white is repainted), 'alpha', or boxes and polygons")
    ]
    prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    negative_prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = Field(None, description="Chosen at random if absent")
    parameters: dict[str, ParameterValue] = Field(default_factory=dict, description="Overrides of the card's defaults")
    reference_image: Annotated[
        Address | None, Field(description="s3://bucket/key of a picture of what belongs there; models that can")
    ] = None
    reference_strength: Annotated[
        float | None,
        Field(ge=REFERENCE_STRENGTH[0], le=REFERENCE_STRENGTH[1], description="How closely; absent: the card's"),
    ] = None
    control_image: Annotated[
        Address | None, Field(description="s3://bucket/key of a map of lines or depths, of the shape of the source")
    ] = None
    control_type: Annotated[ControlType | None, Field(description="What the control image shows")] = None
    control_strength: Annotated[
        float | None,
        Field(ge=CONTROL_STRENGTH[0], le=CONTROL_STRENGTH[1], description="How closely; absent: the card's"),
    ] = None
    outputs: Annotated[
        int, Field(ge=1, le=MAX_OUTPUTS, description="Variants of the edit: seed, seed + 1, and so on")
    ] = 1
    tier: Annotated[
        Tier | None, Field(description="What may be given up for speed, of the model's tiers; absent: the worker's own")
    ] = None
    edit: EditOptions = Field(default_factory=EditOptions, description="Mask, fit and output; all have defaults")
    campaign: Label | None = Field(None, description="Jobs that belong together; queues are shared fairly between them")
    tags: dict[Label, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=16)
    priority: Priority = Priority.NORMAL
    deadline: AwareDatetime | None = Field(None, description="The job expires if it has not ended by then")
    idempotency_key: Label | None = Field(None, description="A second submit with this key returns the first job")

    @field_validator("source", "reference_image", "control_image")
    @classmethod
    def _names_an_object(cls, value: str | None) -> str | None:
        return None if value is None else str(ObjectRef.parse(value))

    @field_validator("mask")
    @classmethod
    def _is_a_mask(cls, value: str | MaskShapes) -> str | MaskShapes:
        if not isinstance(value, str) or value == ALPHA:
            return value
        if not value.startswith("s3://"):
            raise ValueError(MASK_FORMS)
        return str(ObjectRef.parse(value))

    @field_validator("prompt", "negative_prompt", "campaign", "idempotency_key")
    @classmethod
    def _no_nul(cls, value: str | None) -> str | None:
        # Postgres text cannot hold it, and nobody types it.
        if value is not None:
            _refuse_unstorable(value)
        return value

    @field_validator("tags", "parameters")
    @classmethod
    def _no_nul_inside(cls, value: dict[str, Any]) -> dict[str, Any]:
        for pair in value.items():
            for text in pair:
                if isinstance(text, str):
                    _refuse_unstorable(text)
        return value

    @field_validator("deadline")
    @classmethod
    def _utc(cls, value: datetime | None) -> datetime | None:
        try:
            return value.astimezone(UTC) if value else None
        except OverflowError:
            raise ValueError("must be a time before the year 10000") from None

    @model_validator(mode="after")
    def _guides_belong_to_pictures(self) -> JobRequest:
        if self.reference_strength is not None and self.reference_image is None:
            raise ValueError("a reference_strength needs a reference_image")
        if (self.control_image is None) != (self.control_type is None):
            types = ", ".join(ControlType)
            raise ValueError(f"the fields control_image and control_type go together; the types are {types}")
        if self.control_strength is not None and self.control_image is None:
            raise ValueError("a control_strength needs a control_image")
        return self

    @property
    def mask_kind(self) -> MaskKind:
        """Where the mask comes from."""
        if isinstance(self.mask, MaskShapes):
            return MaskKind.SHAPES
        return MaskKind.ALPHA if self.mask == ALPHA else MaskKind.OBJECT

    @property
    def mask_uri(self) -> str | None:
        """The address of the mask, if it is an object."""
        return self.mask if isinstance(self.mask, str) and self.mask != ALPHA else None

    @property
    def guides(self) -> dict[str, str]:
        """The addresses of the pictures that guide the edit, by role: `reference`, `control`."""
        both = {"reference": self.reference_image, "control": self.control_image}
        return {role: uri for role, uri in both.items() if uri is not None}

    def with_seed(self) -> JobRequest:
        """The same request with its seed decided, so that what ran can be run again."""
        return self if self.seed is not None else self.model_copy(update={"seed": secrets.randbits(32)})

    def fingerprint(self) -> str:
        """sha256 over what decides the picture; labels, priority and deadline are left out.

        An absent seed stays absent: a repeated submit without a seed is the same request, although each job would
        be given a seed of its own.
        """
        asked = self.model_dump(mode="json", include=_WHAT_IS_ASKED | _ADDED.keys())
        asked = {name: value for name, value in asked.items() if name not in _ADDED or value != _ADDED[name]}
        if said := self.edit.said():  # without any, the hash is that of a request from before there were options
            asked["edit"] = said
        return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class JobMessage(BaseModel):
    """Keyword arguments of the task `inpaint.run`. The Celery task id is the job's id, always a UUID.

    Without `request` the worker finds the job in Postgres. With it, the worker that first sees the message inserts
    the job: for tools that have nothing but Celery.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = CONTRACT_VERSION
    request: JobRequest | None = None


def _refuse_unstorable(text: str) -> None:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must not contain lone surrogates")


def printable(name: str) -> str:
    """The name of a field that somebody sent, fit to be stored and shown."""
    # The name of an unknown field is whatever a sender wrote, and the message is stored and shown.
    return "".join(char if char.isprintable() else "?" for char in name[:100])


def parse_job_id(text: str) -> UUID:
    """A job id; `InvalidRequest` if it is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a job id: ids are UUIDs such as 019a9f0e-….", field="id") from None
