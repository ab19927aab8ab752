"""A deployment's own catalogue: a TOML file that changes cards of the package, and adds others.

[models.flux-1-fill-dev.weights.base]
revision = "1a2b3c..."                # everything else stays as the package has it

[models.flux-1-fill-dev-short]
like = "flux-1-fill-dev"              # a model of its own, with a queue of its own
title = "FLUX.1 Fill, 20 steps"
parameters.steps.default = 20
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from inpaint_core.card import ModelCard, Parameter
from inpaint_core.errors import SettingsInvalid
from inpaint_core.guides import ControlUse, ReferenceUse
from inpaint_core.size import SizeRule
from inpaint_core.tiers import TierUse
from inpaint_core.weights import Weights

#: Names the card that a new one starts from.
_LIKE = "like"
#: What the tables of a card hold.
_TABLES: dict[object, type[BaseModel]] = {
    "weights": Weights, "parameters": Parameter, "size": SizeRule, "reference": ReferenceUse, "control": ControlUse,
    "tiers": TierUse,
}  # fmt: skip


def apply_overrides(cards: Mapping[str, ModelCard], path: Path) -> dict[str, ModelCard]:
    """The cards with what the file changes and adds; `SettingsInvalid` names the file, the key and the fix."""
    tables = _tables(path)
    plain = {name: card.model_dump(mode="json") for name, card in cards.items()}
    found = dict(cards)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise _wrong(path, f"models.{name}", "must be a table, as in [models.NAME]")
        like = table.pop(_LIKE, None)
        if like is not None and (not isinstance(like, str) or like not in plain):
            raise _wrong(path, f"models.{name}.like", f"there is no model {like!r}.{_nearest(str(like), plain)}")
        if table.get("name", name) != name:
            raise _wrong(path, f"models.{name}.name", "cannot be another than that of its table, [models.NAME]")
        start = plain.get(like or name, {})
        merged = _merged(start, table) | {"name": name}
        try:
            found[name] = ModelCard.model_validate(merged)
        except ValidationError as error:
            raise _explained(path, name, error, known=name in plain or like is not None, names=plain) from None
        if name in cards and found[name].quantisation != cards[name].quantisation:
            raise _wrong(
                path,
                f"models.{name}.quantisation",
                "cannot be changed under this name: its pictures, times and ratings would be mixed with those of the "
                f'model as it is. Give it a name of its own: [models.NAME] with like = "{like or name}".',
            )
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _wrong(path, None, "there is no such file (INPAINT_CATALOGUE)") from None
    except (OSError, ValueError) as error:  # a TOMLDecodeError is the latter
        raise _wrong(path, None, f"it cannot be read: {error}") from None
    unknown = [key for key in whole if key != "models"]
    if unknown:
        raise _wrong(path, unknown[0], "is not known; everything belongs under [models.NAME]")
    models = whole.get("models", {})
    if not isinstance(models, dict):
        raise _wrong(path, "models", "must hold a table for each model, as in [models.NAME]")
    return models


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _explained(
    path: Path, name: str, error: ValidationError, *, known: bool, names: Mapping[str, object]
) -> SettingsInvalid:
    first = error.errors()[0]
    key = ".".join(["models", name, *(str(part) for part in first["loc"])])
    problem = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if first["type"] == "missing":
        hint = "" if known else f' To start from another card, say like = "NAME".{_nearest(name, names)}'
        return _wrong(path, key, f"is missing.{hint}")
    if first["type"] == "extra_forbidden":
        inside = first["loc"][:-1]
        fields = list((_TABLES.get(inside[0], ModelCard) if inside else ModelCard).model_fields)
        where = "there" if inside else "of a card"
        return _wrong(path, key, f"is not a field {where}.{_nearest(str(first['loc'][-1]), fields)}")
    if first["type"] == "too_short":
        problem = "must not be empty"
    # Of a whole table, everything else that is in it would be shown.
    found = "" if isinstance(first["input"], dict) else f", found {first['input']!r}"
    return _wrong(path, key, f"{problem}{found}"[:300])


def _nearest(name: str, names: Mapping[str, object] | list[str]) -> str:
    near = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _wrong(path: Path, key: str | None, problem: str) -> SettingsInvalid:
    return SettingsInvalid(f"{path}: {key + ' ' if key else ''}{problem}", file=str(path), key=key)
