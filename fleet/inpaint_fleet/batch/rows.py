"""Rows of a batch: from a CSV or JSONL file, a manifest, or a folder; mistakes are kept beside their row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import Catalogue
from inpaint_core.edit import ALPHA, EditOptions
from inpaint_core.errors import InvalidRequest, RequestError
from inpaint_core.log import get_logger
from inpaint_core.status import Priority
from inpaint_producer import JobSpec

from inpaint_fleet.batch import fields
from inpaint_fleet.batch.files import Record, read_records

#: Columns of a batch file, besides `param.NAME`, `edit.NAME` and `tag.NAME`. `id` names the row, and becomes its tag
#: `sample`.
COLUMNS = (
    "id", "source", "mask", "model", "prompt", "negative_prompt", "seed", "parameters", "edit", "campaign", "tags",
    "priority", "deadline", "idempotency_key", "reference_image", "reference_strength", "control_image", "control_type",
    "control_strength", "outputs", "tier",
)  # fmt: skip

_GUIDE_COLUMNS = COLUMNS[-7:]
_EDIT_COLUMNS = tuple(f"edit.{name}" for name in EditOptions.model_fields)
log = get_logger("inpaint.fleet")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What rows have that do not say otherwise. A row without a model becomes one job for each of `models`."""

    models: Sequence[str] = ()
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    #: `name=value`, read in the type that each row's model declares.
    parameters: Sequence[str] = ()
    campaign: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    deadline: datetime | None = None
    #: Options of the edit; those of a row come on top.
    edit: Mapping[str, Any] = field(default_factory=dict)
    #: Reference and control image, the number of outputs, and the tier; paths are relative to where the command runs.
    guides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One job of a batch: its place in the file, what to call its result, and the job, or what is wrong with it."""

    number: int
    place: str
    name: str
    model: str
    spec: JobSpec | None = None
    problem: str | None = None

    def refused(self, problem: str) -> Row:
        """The same row with what is wrong with it."""
        return replace(self, spec=None, problem=problem)


def read_rows(paths: Sequence[Path], defaults: Defaults, catalogue: Catalogue, masks: Path | None = None) -> list[Row]:
    """All rows of all files, in their order. `InvalidRequest` for a file that cannot be read at all."""
    rows: list[Row] = []
    for path in paths:
        for record in read_records(path, masks):
            for row in _rows(record, defaults, catalogue):
                rows.append(replace(row, number=len(rows) + 1))
    return rows


def _rows(record: Record, defaults: Defaults, catalogue: Catalogue) -> Iterator[Row]:
    values = record.values
    name = str(values.get("id") or Path(str(values.get("source") or "row")).stem)
    named = values.get("model")
    models = [str(named)] if named else list(defaults.models) or [""]
    for model in models:
        row = Row(0, record.place, name, model)
        try:
            if record.problem:
                raise InvalidRequest(record.problem)
            yield replace(row, spec=_spec(record, model, len(models) > 1, defaults, catalogue))
        except RequestError as error:
            yield row.refused(error.message)


def _spec(record: Record, model: str, several: bool, defaults: Defaults, catalogue: Catalogue) -> JobSpec:
    values = record.values
    _check_names(values)
    if not model:
        raise InvalidRequest("There is no model: add a column `model`, or give --model.", field="model")
    for name in ("source", "mask"):
        if not values.get(name):
            raise InvalidRequest(f"There is no {name}.", field=name)
    card = catalogue.get(model)
    key = _text(values, "idempotency_key", None)
    return JobSpec(
        source=_image(values["source"], record.folder),
        mask=_mask(values["mask"], record.folder),
        model=model,
        prompt=_text(values, "prompt", defaults.prompt) or "",
        negative_prompt=_negative_prompt(values, defaults, card, several),
        seed=_seed(values.get("seed"), defaults.seed),
        parameters=fields.parameters(defaults.parameters, card) | _parameters(values, card),
        campaign=_text(values, "campaign", defaults.campaign),
        tags={**defaults.tags, **({"sample": str(values["id"])} if values.get("id") else {}), **_tags(values)},
        priority=_text(values, "priority", defaults.priority.value) or Priority.NORMAL,
        deadline=_deadline(values.get("deadline"), defaults.deadline),
        idempotency_key=f"{key}:{model}" if key and several else key,
        edit={**defaults.edit, **_edit(values)},
        **{**_guides(defaults.guides, Path()), **_guides(values, record.folder)},
    )


def _negative_prompt(values: Mapping[str, Any], defaults: Defaults, card: ModelCard | None, several: bool) -> str:
    """Of a row that goes to several models, to compare them, it is left out where a model would refuse it."""
    text = _text(values, "negative_prompt", defaults.negative_prompt) or ""
    if several and text and card is not None and card.refuses_negative_prompts:
        log.warning("negative_prompt_left_out", model=card.name)
        return ""
    return text


def _guides(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found = {name: values[name] for name in _GUIDE_COLUMNS if values.get(name) is not None}
    for name, value in found.items():
        if name.endswith("_image"):
            found[name] = _image(value, folder)
        elif isinstance(value, str):  # of a cell: a number, or the word for a type
            found[name] = fields.parameter_value(value, name, None)
    return found


def _check_names(values: Mapping[str, Any]) -> None:
    for name in values:
        if name in COLUMNS or name.startswith(("param.", "tag.")) or name in _EDIT_COLUMNS:
            continue
        if name.startswith("edit."):
            hint = f"there are {', '.join(_EDIT_COLUMNS)}."
        else:
            near = get_close_matches(name, COLUMNS, n=1)
            every = f"there are {', '.join(COLUMNS)}, param.NAME, edit.NAME and tag.NAME."
            hint = f"did you mean {near[0]}?" if near else every
        raise InvalidRequest(f"There is no column {name!r}: {hint}", field=name)


def _mask(value: object, folder: Path) -> str | Path | Mapping[str, Any]:
    if value == ALPHA:
        return ALPHA
    if isinstance(value, Mapping) or (isinstance(value, str) and value.startswith("{")):
        return _mapping({"mask": value}, "mask", '{"boxes": [[10, 10, 90, 60]]}')
    return _image(value, folder)


def _image(value: object, folder: Path) -> str | Path:
    text = str(value)
    # A web address stays one, to be refused as that.
    return text if text.startswith(("s3://", "http://", "https://")) else folder / Path(text).expanduser()


def _text(values: Mapping[str, Any], name: str, default: str | None) -> str | None:
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be text, found {value!r}.", field=name)
    return value


def _seed(value: object, default: int | None) -> int | None:
    if value is None:
        return default
    return fields.seed(value) if isinstance(value, str) else value  # type: ignore[return-value]  # the request checks it


def _deadline(value: object, default: datetime | None) -> datetime | None:
    return default if value is None else fields.deadline(str(value))


def _parameters(values: Mapping[str, Any], card: Any) -> dict[str, Any]:
    found = dict(_mapping(values, "parameters"))
    for column, value in values.items():
        if column.startswith("param.") and value is not None:
            name = column.removeprefix("param.")
            found[name] = fields.parameter_value(value, name, card) if isinstance(value, str) else value
    return found


def _edit(values: Mapping[str, Any]) -> dict[str, Any]:
    # Cells are texts, which the request reads as the numbers and truths that they say.
    columns = {name: value for name, value in values.items() if name in _EDIT_COLUMNS and value is not None}
    found = dict(_mapping(values, "edit", '{"grow": 8}'))
    return found | {name.removeprefix("edit."): value for name, value in columns.items()}


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    found = {str(name): value for name, value in _mapping(values, "tags").items()}
    found |= {name.removeprefix("tag."): value for name, value in values.items() if name.startswith("tag.")}
    return {name: str(value) for name, value in found.items() if value is not None}


def _mapping(values: Mapping[str, Any], name: str, example: str = '{"radius": 7}') -> Mapping[str, Any]:
    import json

    value = values.get(name)
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} must be a JSON object such as {example}.", field=name)
    return value
