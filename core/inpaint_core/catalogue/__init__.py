"""The model cards: one TOML file each, and what a deployment changes of them."""

from __future__ import annotations

import functools
import tomllib
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from inpaint_core.card import ModelCard
from inpaint_core.catalogue.overrides import apply_overrides
from inpaint_core.errors import UnknownModel
from inpaint_core.job import JobRequest


class Catalogue(dict[str, ModelCard]):
    """Model cards by name, in alphabetical order."""

    def card(self, name: str) -> ModelCard:
        """The card of `name`; `UnknownModel` offers the nearest names."""
        if name in self:
            return self[name]
        near = get_close_matches(name, self, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(self)}."
        raise UnknownModel(f"There is no model {name!r}. {hint}", model=name, nearest=near)

    def check(self, request: JobRequest) -> ModelCard:
        """The card of a request's model; raises what is wrong with the request, naming models that can do it."""
        card = self.card(request.model)
        card.check(request, self.values())
        return card


@functools.cache
def load_catalogue(overrides: Path | None = None) -> Catalogue:
    """Every card in this package, checked, with the changes of a deployment's file (`INPAINT_CATALOGUE`)."""
    if overrides is not None:
        changed = apply_overrides(load_catalogue(), overrides)
        return Catalogue(sorted(changed.items()))
    files = (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".toml"))
    cards = [ModelCard.model_validate(tomllib.loads(entry.read_text(encoding="utf-8"))) for entry in files]
    return Catalogue(sorted((card.name, card) for card in cards))


__all__ = ["Catalogue", "load_catalogue"]
