"""The review's table of models, from model cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from inpaint_benchmark.report.contents import ModelFacts


def models_table(models: Sequence[str], cards: Mapping[str, Mapping[str, Any]]) -> list[ModelFacts]:
    """Newest first, as in the review. `cards` are as the database keeps them: JSON."""
    facts = [(str(cards[model].get("released", "")), model_facts(model, cards[model])) for model in models]
    return [row for _, row in sorted(facts, key=lambda pair: pair[0], reverse=True)]


def model_facts(model: str, card: Mapping[str, Any]) -> ModelFacts:
    """One row."""
    return ModelFacts(
        model,
        _day(card.get("released")),
        str(card.get("architecture") or "–"),
        _size(card.get("billions")),
        _resolution(card.get("size") or {}),
        str(card.get("summary") or "–") + (" Retired." if card.get("status") == "retired" else ""),
    )


def _day(released: str | None) -> str:
    """Nov 21, 2024: as the review has it."""
    if not released:
        return "–"
    day = date.fromisoformat(released)
    return f"{day:%b} {day.day}, {day.year}"


def _size(billions: float | None) -> str:
    """12B, 865M."""
    if billions is None:
        return "–"
    return f"{billions:g}B" if billions >= 1 else f"{billions * 1000:g}M"


def _resolution(size: Mapping[str, Any]) -> str:
    """The largest square that it paints in one go; larger pictures are scaled to it, or cropped."""
    side = size.get("max_side")
    area = size.get("max_area") or size.get("native_area")
    if area is None:
        return "any"
    fits = math.isqrt(int(area))
    side = fits if side is None else min(int(side), fits) if size.get("max_area") else int(side)
    return f"{side} x {side}"
