"""What a run is to be made of, as it is typed: models, samples, seeds and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inpaint_fleet.cli import console

if TYPE_CHECKING:
    from inpaint_core.catalogue import Catalogue
    from inpaint_core.tiers import Tier


def models(given: list[str], served: list[str], catalogue: Catalogue, tier: Tier) -> list[str]:
    """Names, or for `all` those that are `served` and have the tier."""
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.tiers import Tier

    named = [name for text in given for name in _split(text)]
    if named != ["all"]:
        return named
    without = [name for name in served if tier is not Tier.EXACT and tier not in catalogue.card(name).tiers]
    served = [name for name in served if name not in without]
    if without and not served:
        raise InvalidRequest(
            f"No model that a worker serves now has a tier {tier}: {', '.join(without)}. `inpaint models show NAME` "
            "tells the tiers of a model.",
            field="tier",
        )
    if without:
        console.note(f"left out, having no tier {tier}: {', '.join(without)}")
    if not served:
        raise InvalidRequest("No worker serves a model now. Start some (`inpaint worker MODEL`), or name the models.")
    idle = [card.name for card in catalogue.values() if card.served and card.name not in (*served, *without)]
    console.tell(f"models: {', '.join(served)} (all that a worker serves; not {len(idle)} others)")
    return served


def _split(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def names(text: str | None) -> list[str] | None:
    """Comma-separated names; None: all that there are."""
    return None if text is None else _split(text)


def seeds(text: str | None, trials: int | None) -> list[int]:
    """Those that are given, or 1, 2, 3 and so on."""
    from inpaint_core.errors import InvalidRequest

    from inpaint_fleet.batch import fields

    if text is None:
        return list(range(1, (trials or 3) + 1))
    found = [fields.seed(part) for part in _split(text)]
    if trials not in (None, len(found)):
        raise InvalidRequest(f"There are {len(found)} seeds for {trials} trials. Leave out --trials.", field="seeds")
    return found


def parameters(given: list[str], chosen: list[str], catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """By model; under * for all that have such a parameter."""
    from inpaint_benchmark.runs.planning import EVERY

    from inpaint_fleet.batch import fields

    found: dict[str, dict[str, Any]] = {}
    for text in given:
        key, value = fields.split_assignment(text, "parameter")
        model, colon, name = key.rpartition(":")
        owner = model if colon else EVERY
        cards = [catalogue.card(each) for each in ([model] if colon else chosen)]
        card = next((card for card in cards if name in card.parameters), None)
        found.setdefault(owner, {})[name] = fields.parameter_value(value, name, card)
    return found
