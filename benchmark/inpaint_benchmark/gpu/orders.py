"""What is to be measured: an order for each model, mode and kind of measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from inpaint_core.acceleration import AUTO, Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.errors import InvalidRequest
from inpaint_core.tiers import Tier
from pydantic import BaseModel, ConfigDict, Field

from inpaint_benchmark.gpu.candidates import CANDIDATES, automatic, candidates_of
from inpaint_benchmark.gpu.cards import bench_card
from inpaint_benchmark.gpu.modes import Mode

What = Literal["seconds", "cropping", "throughput"]
Device = Literal["cuda", "cpu"]


class Order(BaseModel):
    """One row: what is measured, and how. Equal orders are measured once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: What
    model: str
    #: As `Mode` writes it.
    mode: str
    #: Of the picture that comes in, pixels; what is painted of it is for the model's size rule to say.
    width: Annotated[int, Field(ge=64, le=16_384)]
    height: Annotated[int, Field(ge=64, le=16_384)]
    #: None: what the card says.
    steps: int | None = None
    #: Steady images that are timed.
    #: None: of throughput, as many as take a minute; of others `REPEATS`.
    repeats: Annotated[int, Field(ge=1, le=1000)] | None = None
    tiny: bool
    device: Device
    #: real: from a folder that the user named.
    weights: Literal["random", "real"]


#: The picture of a telephone or camera, whatever --size says.
_CROPPING_SIZE, _CROPPING_SIZE_TINY = (4000, 3000), (1000, 750)
#: How often a measurement is made where nobody says.
REPEATS: dict[What, int] = {"seconds": 5, "cropping": 3}


def repeats_of(order: Order) -> int:
    """How often it is measured, other than of throughput."""
    return order.repeats or REPEATS[order.what]


def make_orders(
    cards: Sequence[ModelCard],
    modes: Sequence[Mode],
    whats: Sequence[What],
    size: tuple[int, int],
    *,
    steps: int | None,
    repeats: int | None,
    tiny: bool,
    device: Device,
    weights: Literal["random", "real"],
) -> tuple[list[Order], list[str]]:
    """The orders, all of one model beside each other; and sentences on what was left out.

    `InvalidRequest` if something is wrong with a mode or the steps that concerns every model.
    """
    orders = []
    resolved, left_out = resolve_modes(cards, modes, device)
    for card in cards:
        if steps is not None:
            bench_card(card, tiny=tiny).resolve({"steps": steps})
        for what in dict.fromkeys(whats):
            width, height = (_CROPPING_SIZE_TINY if tiny else _CROPPING_SIZE) if what == "cropping" else size
            orders += [
                Order(
                    what=what,
                    model=card.name,
                    mode=str(mode),
                    width=width,
                    height=height,
                    steps=steps,
                    repeats=repeats or REPEATS.get(what),
                    tiny=tiny,
                    device=device,
                    weights=weights,
                )
                for mode in resolved[card.name]
            ]
    if not orders:
        raise InvalidRequest(" ".join(left_out) or "There is nothing to measure.", field="modes")
    return orders, left_out


def resolve_modes(
    cards: Sequence[ModelCard], modes: Sequence[Mode], device: Device
) -> tuple[dict[str, list[Mode]], list[str]]:
    """The modes of each card, none of them twice, and sentences on what was left out.

    `auto` becomes what the card says, so that a row stays true when the card is changed; `candidates` becomes those of
    its family.
    """
    found: dict[str, list[Mode]] = {}
    left_out: dict[str, None] = {}
    same: dict[str, list[str]] = {}
    for card in cards:
        named: dict[Mode, None] = {}
        for mode in modes:
            if mode.accelerate == CANDIDATES:
                wanted = [replace(mode, accelerate=str(each)) for each in candidates_of(card, device)]
            elif mode.accelerate == AUTO:
                wanted = [replace(mode, accelerate=str(automatic(card, device)))]
                if wanted[0] in named or wanted[0] in modes:
                    same.setdefault(str(wanted[0]), []).append(card.name)
            else:
                wanted = [mode]
            for each in wanted:
                if (reason := _impossible(card, each)) is not None:
                    left_out[reason] = None
                else:
                    named[each] = None
        found[card.name] = list(named)
    for mode_name, names in same.items():
        left_out[f"auto is {mode_name} on the card of {', '.join(names)}, and is measured once."] = None
    return found, list(left_out)


def _impossible(card: ModelCard, mode: Mode) -> str | None:
    """Why a worker of this card or a job for it could not have the mode, or None."""
    if mode.tier is not Tier.EXACT and mode.tier not in card.tiers:
        has = ", ".join([Tier.EXACT, *card.tiers])
        return f"{card.name} has no tier {mode.tier} (it has: {has}), so {mode} is left out for it."
    if problem := Acceleration.parse(mode.accelerate).problem(card.accelerations):
        return f"{card.name} {problem}; so {mode} is left out for it."
    return None
