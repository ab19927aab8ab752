"""Pipelines: what turns a picture, a mask and a prompt into a repainted picture. One module per family."""

from __future__ import annotations

from importlib import import_module

from inpaint_core.card import ModelCard
from inpaint_core.errors import MissingExtra, OperatorError
from inpaint_core.settings import Settings

from inpaint_worker.pipelines.base import Control, Edit, Pipeline, Reference, StepCallback

#: Family of a card -> (module, the extra that its libraries come with). Loaded when needed: OpenCV needs no torch.
FAMILIES = {
    "opencv": ("inpaint_worker.pipelines.opencv", "worker"),
    "stable-diffusion": ("inpaint_worker.pipelines.stable_diffusion", "diffusers"),
    "sd3-controlnet": ("inpaint_worker.pipelines.sd3_controlnet", "diffusers"),
    "kandinsky": ("inpaint_worker.pipelines.kandinsky", "diffusers"),
    "flux-fill": ("inpaint_worker.pipelines.flux_fill", "diffusers"),
    "flux-controlnet": ("inpaint_worker.pipelines.flux_controlnet", "diffusers"),
    "flux-2-klein": ("inpaint_worker.pipelines.flux2_klein", "diffusers"),
    "z-image": ("inpaint_worker.pipelines.z_image", "diffusers"),
    "qwen-image": ("inpaint_worker.pipelines.qwen_image", "diffusers"),
    "openai": ("inpaint_worker.pipelines.openai", "openai"),
}


def build_pipeline(card: ModelCard, settings: Settings) -> Pipeline:
    """The pipeline of a card, not yet loaded."""
    if card.family not in FAMILIES:
        raise OperatorError(f"{card.name} is of family {card.family!r}, which this worker does not have.")
    module, extra = FAMILIES[card.family]
    try:
        built: Pipeline = import_module(module).build(card, settings)
    except ImportError as error:
        raise MissingExtra(
            f"{card.name} needs the package {error.name}. Install it with: pip install 'inpaint-fleet[{extra}]'"
        ) from error
    return built


__all__ = ["Control", "Edit", "Pipeline", "Reference", "StepCallback", "build_pipeline"]
