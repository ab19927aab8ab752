"""The cards that are measured: those of the catalogue as they are, or made small for a machine without a GPU."""

from __future__ import annotations

from collections.abc import Sequence

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import InvalidRequest
from inpaint_core.size import SizeRule

from inpaint_benchmark.published import read_publication

#: What a tiny model paints, pixels, and in how many steps.
_TINY_AREA = 256 * 256
_TINY_STEPS = {"steps": 4, "prior_steps": 2}
_EVERY = "all"


def choose_cards(names: Sequence[str], catalogue: Catalogue) -> list[ModelCard]:
    """The cards of `names`, or of all models that run on a GPU: the review's in its order, then the later ones."""
    if list(names) == [_EVERY]:
        reviewed = [model.card for model in read_publication("review").models]
        found = [card for card in catalogue.values() if card.device == "cuda" and card.served]
        return sorted(found, key=lambda card: reviewed.index(card.name) if card.name in reviewed else len(reviewed))
    cards = [catalogue.card(name) for name in dict.fromkeys(names)]
    if not cards:
        raise InvalidRequest("No model is named. Take --models all, or names with commas between them.", field="models")
    if others := [card.name for card in cards if card.device != "cuda"]:
        raise InvalidRequest(
            f"{', '.join(others)} would not run on a GPU, and so has nothing to measure here. `inpaint models` tells "
            "which do.",
            field="models",
        )
    return cards


def bench_card(card: ModelCard, *, tiny: bool) -> ModelCard:
    """The card as it is measured. Tiny: a picture of 256 x 256, and few steps, so that a CPU is done in seconds."""
    if not tiny:
        return card
    size = SizeRule.model_validate({**card.size.model_dump(), "native_area": _TINY_AREA, "max_area": 4 * _TINY_AREA})
    parameters = {
        name: rule.model_copy(update={"default": _TINY_STEPS[name]}) if name in _TINY_STEPS else rule
        for name, rule in card.parameters.items()
    }
    return card.model_copy(update={"size": size, "parameters": parameters})
