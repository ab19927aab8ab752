"""Pipelines: what turns a picture, a mask and a prompt into a repainted picture. One module per family."""

from __future__ import annotations

from importlib import import_module

from inpaint_core.card import ModelCard
from inpaint_core.errors import MissingExtra, OperatorError

from inpaint_worker.pipelines.base import Edit, Pipeline, StepCallback

#: Family of a card -> (module, the extra that its libraries come with). Loaded when needed: OpenCV needs no torch.
FAMILIES = {"opencv": ("inpaint_worker.pipelines.opencv", "worker")}


def build_pipeline(card: ModelCard) -> Pipeline:
    """The pipeline of a card, not yet loaded."""
    if card.family not in FAMILIES:
        raise OperatorError(f"{card.name} is of family {card.family!r}, which this worker does not have.")
    module, extra = FAMILIES[card.family]
    try:
        built: Pipeline = import_module(module).build(card)
    except ImportError as error:
        raise MissingExtra(
            f"{card.name} needs the package {error.name}. Install it with: pip install 'inpaint-fleet[{extra}]'"
        ) from error
    return built


__all__ = ["Edit", "Pipeline", "StepCallback", "build_pipeline"]
