"""Reading the tables of this folder."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from typing import Any

from inpaint_core.errors import OperatorError

_REPOSITORIES = "repositories.toml"


@dataclass(frozen=True, slots=True)
class Part:
    """A network, scheduler or tokenizer."""

    name: str
    #: What model_index.json and its own configuration call it.
    library: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    #: Changes to `config` that make it small.
    tiny: Mapping[str, Any] = field(default_factory=dict)
    #: "module:class" of the class that holds it, where that is not the published one.
    held_by: str | None = None
    #: Kind of tokenizer; None for all else.
    stand_in: str | None = None

    def configured(self, *, tiny: bool) -> dict[str, Any]:
        """Its configuration, in full size or tiny."""
        return _merged(self.config, self.tiny) if tiny else _merged(self.config, {})

    def held(self) -> Any:
        """The class that holds it. Needs the extra 'diffusers'."""
        module, _, name = (self.held_by or f"{self.library}:{self.kind}").partition(":")
        return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub: parts in folders, one network at its root, or one file."""

    name: str
    #: Number format of the published weights.
    dtype: str
    pipeline: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Folder -> name of the part in it.
    parts: Mapping[str, str] = field(default_factory=dict)
    whole: str | None = None
    file: str | None = None
    #: The part whose linear layers it changes.
    lora_of: str | None = None
    lora_rank: int = 0
    quantisation: str | None = None
    #: Names of layers that are not quantised but stay in float32.
    single: tuple[str, ...] = ()


def repository(name: str) -> Repository:
    """The repository of that name; `OperatorError` if its architecture is not known."""
    known = repositories()
    if name not in known:
        raise OperatorError(
            f"The architecture of {name} is not known here, so that no weights can be made up for it. "
            f"Known are: {', '.join(sorted(known))}."
        )
    return known[name]


@functools.cache
def repositories() -> Mapping[str, Repository]:
    """All of them, by name."""
    return {name: Repository(name, **_frozen(table)) for name, table in _read(_REPOSITORIES).items()}


@functools.cache
def part(name: str) -> Part:
    """The part of that name."""
    table = _tables()[name]
    parent = part(table["like"]) if "like" in table else None
    found: dict[str, Any] = {"name": name}
    for ours, theirs in (("library", "library"), ("kind", "class"), ("held_by", "held_by"), ("stand_in", "stand_in")):
        value = table.get(theirs, getattr(parent, ours, None))
        if value is not None:
            found[ours] = value
    for kind in ("config", "tiny"):
        found[kind] = _merged(getattr(parent, kind, {}), table.get(kind, {}))
    return Part(**found)


@functools.cache
def _tables() -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for file in files(__package__).iterdir():
        if file.name.endswith(".toml") and file.name != _REPOSITORIES:
            found |= _read(file.name)
    return found


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / name).read_text(encoding="utf-8"))


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`, table by table."""
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
