"""What a dataset says of itself and of each sample, beside the pictures: checked alike for every kind of dataset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from inpaint_core.errors import InvalidRequest
from inpaint_core.job import MAX_PROMPT, Label, printable
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from inpaint_benchmark.datasets.places import located

_KEBAB_CASE = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class DatasetFacts(BaseModel):
    """A dataset without its samples. `version` is what its makers call it; None if they do not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    description: Annotated[str, Field(max_length=10_000)] = ""
    licence: Annotated[str, Field(max_length=1_000)] = ""

    @field_validator("name")
    @classmethod
    def _kebab_case(cls, value: str) -> str:
        if not re.fullmatch(_KEBAB_CASE, value):
            raise ValueError("must be in kebab-case, such as furniture-rooms")
        return value

    @field_validator("version", "description", "licence")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        return value if value is None else _can_be_stored(value)


class SampleFacts(BaseModel):
    """A sample without its pictures. An absent prompt is empty: some models paint without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    negative_prompt: Annotated[str, Field(max_length=MAX_PROMPT)] = ""
    licence: Annotated[str, Field(max_length=1_000)] = ""
    source_url: Annotated[str, Field(max_length=2_000, pattern="^https?://")] | None = None
    tags: dict[Label, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=16)

    @field_validator("id")
    @classmethod
    def _names_files(cls, value: str) -> str:
        # Results, reports and exports are named after it.
        if not value.isprintable() or value != value.strip() or "/" in value or "\\" in value:
            raise ValueError("must be printable, without slashes and without spaces around it")
        return value

    @field_validator("prompt", "negative_prompt", "licence", "source_url")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        return value if value is None else _can_be_stored(value)

    @field_validator("tags")
    @classmethod
    def _storable_tags(cls, value: dict[str, str]) -> dict[str, str]:
        for pair in value.items():
            for text in pair:
                _can_be_stored(text)
        return value


_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], values: Mapping[str, Any]) -> _Model:
    """`values` as a `model`; `InvalidRequest` says what is wrong with them."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _explained(error, model) from None


def dataset_facts(said: Mapping[str, str], **usual: str) -> DatasetFacts:
    """What the caller said of a dataset, and what its kind says where the caller did not."""
    with located("The dataset"):
        return checked(DatasetFacts, {**usual, **said})


def kebab(path: Path) -> str:
    """A name for the dataset at `path`: that of the file, or of its folder if the file is called as all are."""
    absolute = path.absolute()
    stem = absolute.name if path.is_dir() else absolute.stem
    if stem.lower() in ("manifest", "samples", "dataset", "metadata", "data"):
        stem = absolute.parent.name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:100].strip("-") or "dataset"


def _explained(error: ValidationError, model: type[BaseModel]) -> InvalidRequest:
    """The first few problems that pydantic found, one sentence each."""
    items = error.errors()
    sentences = [_sentence(item["loc"], item["type"], item["msg"], item["input"], model) for item in items[:3]]
    first = items[0]["loc"]
    return InvalidRequest(" ".join(sentences), field=str(first[0]) if first else None)


def unknown(name: str, names: Iterable[str], what: str) -> str:
    """A sentence on a name that does not exist, with the one that was meant or all that there are."""
    names = [printable(each) for each in names]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
    return f"There is no {what} {printable(name)!r}: {hint}"


def _sentence(loc: tuple[int | str, ...], kind: str, message: str, found: object, model: type[BaseModel]) -> str:
    field = printable(".".join(str(part) for part in loc))
    if kind == "extra_forbidden":
        return unknown(str(loc[-1]), _fields_beside(model, loc), "field")
    if kind == "missing":
        return f"{field} is missing."
    shown = printable(repr(found))
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    problem = message.removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    return f"{field}: {problem} (found {shown})." if loc else f"{problem[:1].upper()}{problem[1:]}."


def _fields_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    for part in loc[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model.model_fields


def _can_be_stored(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    return text
