"""A request from plain data, a tier from its name, and what is said of one that is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import InvalidRequest
from inpaint_core.job import MASK_FORMS, JobRequest, printable
from inpaint_core.tiers import Tier

_SHAPE_FORMS = {
    "mask.boxes": "boxes are lists of four whole numbers, [[left, top, right, bottom], ...]",
    "mask.polygons": "polygons are lists of three or more corners, [[[x, y], [x, y], [x, y], ...], ...]",
}


def parse_request(data: dict[str, Any]) -> JobRequest:
    """`JobRequest` from plain data; `InvalidRequest` names the field, what was found and what is expected."""
    try:
        return JobRequest.model_validate(data)
    except ValidationError as error:
        raise explain_request(error) from None


def parse_tier(text: str | None) -> Tier:
    """A tier by its name, exact for None; `InvalidRequest` lists those that there are."""
    try:
        return Tier.EXACT if text is None else Tier(text)
    except ValueError:
        raise InvalidRequest(
            f"tier must be {', '.join(Tier)}, found {printable(text or '')!r}.", field="tier"
        ) from None


def explain_request(error: ValidationError) -> InvalidRequest:
    """The first few problems of a request, one sentence each."""
    sentences = []
    for item in error.errors()[:5]:
        # A message of the contract holds the request as one of its fields.
        loc = item["loc"][1:] if item["loc"][:1] == ("request",) else item["loc"]
        field = printable(".".join(str(part) for part in _path(loc))) or "request"
        if item["type"] == "extra_forbidden":
            where, fields = _fields_beside(field)
            sentences.append(f"{field} is not a field of {where}; the fields are {', '.join(fields)}.")
        elif item["type"] == "missing":
            sentences.append(f"{field} is missing.")
        else:
            found = repr(item["input"])
            found = found if len(found) <= 60 else found[:57] + "..."
            problem = item["msg"].removeprefix("Value error, ").replace("Input should", "must")
            if item["type"] in ("greater_than_equal", "less_than_equal"):
                problem = _range(loc) or problem
            elif field == "mask" and item["type"] == "string_type":
                problem = MASK_FORMS
            elif item["type"].endswith(("_type", "_parsing", "_from_float", "too_short")):
                problem = next((form for start, form in _SHAPE_FORMS.items() if field.startswith(start)), problem)
            # Of a request whose fields do not fit together, all of it would be shown.
            alone = item["type"] == "value_error" and not loc
            sentences.append(f"{problem[0].upper()}{problem[1:]}." if alone else f"{field}: {problem} (found {found}).")
    first = error.errors()[0]["loc"]
    first = first[1:] if first[:1] == ("request",) else first
    return InvalidRequest(" ".join(sentences), field=str(first[0]) if first else None)


def _range(loc: tuple[int | str, ...]) -> str | None:
    """Both ends of what a number may be, where it has both: the end that was missed tells half."""
    fields = EditOptions.model_fields if loc[:1] == ("edit",) else JobRequest.model_fields
    field = fields.get(str(loc[-1]))
    ends: dict[str, Any] = {}
    for part in field.metadata if field else ():
        ends |= {end: found for end in ("ge", "le") if (found := getattr(part, end, None)) is not None}
    return f"must be from {_plain(ends['ge'])} to {_plain(ends['le'])}" if len(ends) == 2 else None


def _plain(end: float) -> str:
    return f"{end:g}" if isinstance(end, float) else str(end)


def _path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where the problem is, without the names by which pydantic tells the forms of a mask apart."""
    return loc[:1] + loc[2:] if loc[:1] == ("mask",) and loc[1:2] in (("object",), ("alpha",), ("shapes",)) else loc


def _fields_beside(field: str) -> tuple[str, Iterable[str]]:
    if field.startswith("edit."):
        return "edit", EditOptions.model_fields
    if field.startswith("mask."):
        return "a mask of shapes", MaskShapes.model_fields
    return "a request", JobRequest.model_fields
