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

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from inpaint_core.errors import InvalidRequest
from inpaint_core.status import Priority
from inpaint_core.storage import ObjectRef

CONTRACT_VERSION: Final = 1
TASK_NAME = "inpaint.run"
#: A prompt longer than any text encoder reads (T5 takes 512 tokens, about 2,000 characters).
MAX_PROMPT = 4_000
#: torch accepts 64 bits, JavaScript and some samplers do not: 32 bits are read alike by all.
MAX_SEED = 2**32 - 1

Label = Annotated[str, Field(min_length=1, max_length=200)]
#: The pattern is for the JSON Schema alone: `ObjectRef.parse` checks more, and says more.
Address = Annotated[
    str, Field(max_length=1200, json_schema_extra={"pattern": "^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+"})
]
ParameterValue = bool | int | float | str
_WHAT_IS_ASKED = {"model", "source", "mask", "prompt", "negative_prompt", "seed", "parameters"}


class JobRequest(BaseModel):
    """One edit: repaint what `mask` marks in `source`, after `prompt`, with `model`.

    `source` and `mask` name objects as `s3://bucket/key`. Masks are white where the picture is repainted and
    black where it is kept, and as large as the source.
    """

    # Postgres' JSON holds neither NaN nor infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, max_length=100, description="Name of a model card")]
    source: Annotated[Address, Field(description="s3://bucket/key of the image to edit")]
    mask: Annotated[Address, Field(description="s3://bucket/key of the mask; white is repainted")]
    prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    negative_prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = Field(None, description="Chosen at random if absent")
    parameters: dict[str, ParameterValue] = Field(default_factory=dict, description="Overrides of the card's defaults")
    campaign: Label | None = Field(None, description="Jobs that belong together; queues are shared fairly between them")
    tags: dict[Label, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=16)
    priority: Priority = Priority.NORMAL
    deadline: AwareDatetime | None = Field(None, description="The job expires if it has not ended by then")
    idempotency_key: Label | None = Field(None, description="A second submit with this key returns the first job")

    @field_validator("source", "mask")
    @classmethod
    def _names_an_object(cls, value: str) -> str:
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

    def with_seed(self) -> JobRequest:
        """The same request with its seed decided, so that what ran can be run again."""
        return self if self.seed is not None else self.model_copy(update={"seed": secrets.randbits(32)})

    def fingerprint(self) -> str:
        """sha256 over what decides the picture; labels, priority and deadline are left out.

        An absent seed stays absent: a repeated submit without a seed is the same request, although each job would
        be given a seed of its own.
        """
        asked = self.model_dump(mode="json", include=_WHAT_IS_ASKED)
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


def parse_request(data: dict[str, Any]) -> JobRequest:
    """`JobRequest` from plain data; `InvalidRequest` names the field, what was found and what is expected."""
    try:
        return JobRequest.model_validate(data)
    except ValidationError as error:
        raise explain_request(error) from None


def explain_request(error: ValidationError) -> InvalidRequest:
    """The first few problems of a request, one sentence each."""
    sentences = []
    for item in error.errors()[:5]:
        field = _printable(".".join(str(part) for part in item["loc"])) or "request"
        if item["type"] == "extra_forbidden":
            names = ", ".join(JobRequest.model_fields)
            sentences.append(f"{field} is not a field of a request; the fields are {names}.")
        elif item["type"] == "missing":
            sentences.append(f"{field} is missing.")
        else:
            found = repr(item["input"])
            found = found if len(found) <= 60 else found[:57] + "..."
            sentences.append(f"{field}: {item['msg'].removeprefix('Value error, ')} (found {found}).")
    first = error.errors()[0]["loc"]
    return InvalidRequest(" ".join(sentences), field=str(first[0]) if first else None)


def _printable(name: str) -> str:
    # The name of an unknown field is whatever a sender wrote, and the message is stored and shown.
    return "".join(char if char.isprintable() else "?" for char in name[:100])


def parse_job_id(text: str) -> UUID:
    """A job id; `InvalidRequest` if it is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a job id: ids are UUIDs such as 019a9f0e-….", field="id") from None
