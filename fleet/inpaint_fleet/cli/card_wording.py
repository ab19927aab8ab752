"""Facts of a model card as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint_core.card import ModelCard
    from inpaint_core.size import SizeRule
    from inpaint_core.weights import Weights


def memory(card: ModelCard) -> str:
    """GPU memory that a worker needs."""
    return f"{card.gpu_memory_gb:g} GB" if card.gpu_memory_gb is not None else ""


def billions(card: ModelCard) -> str:
    """How many parameters it has."""
    if card.billions is None:
        return ""
    return f"{card.billions:g} B" if card.billions >= 1 else f"{card.billions * 1000:g} M"


def area(rule: SizeRule) -> str:
    """The side of the square that it paints best."""
    return "any size" if rule.native_area is None else f"{round(rule.native_area**0.5)}²"


def number_format(card: ModelCard) -> str | None:
    """The type of its numbers on a GPU."""
    if card.quantisation is not None:
        return f"{card.quantisation}, computed in {card.dtype}"
    return card.dtype


def guides(card: ModelCard) -> str:
    """Which images may guide it, in short."""
    return ", ".join(name for name, use in (("reference", card.reference), ("control", card.control)) if use)


def reference(card: ModelCard) -> str:
    """How it takes a reference image."""
    if card.reference is None:
        return "no"
    strength = card.reference.strength
    return card.reference.by + (", no strength" if strength is None else f", strength {strength:g} (0 to 1)")


def control(card: ModelCard) -> str:
    """Which control images it takes."""
    if card.control is None:
        return "no"
    return f"{', '.join(card.control.types)}; {card.control.by}, strength {card.control.strength:g} (0 to 2)"


def tiers(card: ModelCard) -> str:
    """What it runs in, and what each quicker tier leaves out."""
    told = ["exact"]
    for tier, use in card.tiers.items():
        elements = ", ".join(f"{name.replace('_', ' ')} {getattr(use, name):g}" for name in use.elements)
        told.append(f"{tier} ({elements})")
    return ", ".join(told)


def weights(found: Weights) -> str:
    """Where a part comes from."""
    words = [f"{found.repo} at {found.revision}"]
    if found.file:
        words.append(found.file)
    if found.variant:
        words.append(f"variant {found.variant}")
    if found.size_gb:
        words.append(f"{found.size_gb:g} GB")
    if found.needed_for:
        words.append(f"only for {found.needed_for} images")
    if found.licence:
        words.append(found.licence)
    if found.gated:
        words.append(f"gated: accept its licence on {found.page}")
    return ", ".join(words)


def markdown(cards: Iterable[ModelCard]) -> str:
    """The catalogue as a table in Markdown: the one in docs/models.md."""
    head = ("model", "architecture", "parameters", "released", "licence", "GPU memory", "paints at", "steps", "can")
    rows = [head, ("---",) * len(head), *(_row(card) for card in cards)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _row(card: ModelCard) -> tuple[str, ...]:
    steps = card.parameters.get("steps")
    can = [
        "prompt" if card.prompt != "ignored" else "",
        "negative prompt" if card.negative_prompt else "",
        f"reference image ({card.reference.by})" if card.reference else "",
        f"control image ({', '.join(card.control.types)})" if card.control else "",
        "progress" if card.progress else "",
        "exact repetition" if card.deterministic else "",
    ]
    name = f"`{card.name}`" + (" (retired)" if card.status == "retired" else "")
    gated = " (gated)" if any(part.gated for part in card.weights.values()) else ""
    return (
        name, card.architecture, billions(card) or "–", str(card.released.year), card.licence + gated,
        memory(card) or "–", area(card.size), str(steps.default) if steps else "–", ", ".join(filter(None, can)),
    )  # fmt: skip
