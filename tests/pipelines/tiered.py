"""Tiny models of every family that has quicker tiers, with tiers that leave out much: tiny weights say little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from contract import SIDE, make_pixels, make_region, small_card
from inpaint_core.job import ParameterValue
from inpaint_core.settings import load_settings
from inpaint_core.tiers import Tier, TierUse
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiny.flux import write_flux_controlnet, write_flux_fill
from tiny.kandinsky import write_kandinsky
from tiny.qwen_image import write_qwen_image
from tiny.sd3 import write_sd3
from tiny.stable_diffusion import write_sd2, write_sdxl

CACHED, UNGUIDED = TierUse(step_cache=1.0), TierUse(guidance_until=0.5)
BOTH = TierUse(step_cache=1.0, guidance_until=0.5)


@dataclass(frozen=True)
class Model:
    """A model in one tier."""

    name: str
    write: Callable[[Path], Path]
    use: TierUse
    #: Of an edit that takes at least four steps.
    parameters: dict[str, ParameterValue]
    #: Pictures that its network is asked for, and those that it computes.
    passes: int
    computed: int


_FLUX: dict[str, ParameterValue] = {"steps": 4, "prompt_tokens": 32}
_TEXT: dict[str, ParameterValue] = {"steps": 4, "prompt_tokens": 64}
MODELS = {
    # PNDM makes one step twice: five steps, three of them guided.
    "sd2": Model("stable-diffusion-2-inpainting", write_sd2, UNGUIDED, {"steps": 4}, 10, 8),
    # At a strength of 0.99 three steps remain.
    "sdxl": Model("stable-diffusion-xl-1.0-inpainting-0.1", write_sdxl, UNGUIDED, {"steps": 4}, 6, 5),
    "kandinsky": Model(
        "kandinsky-2-2-decoder-inpaint", write_kandinsky, UNGUIDED, {"steps": 4, "prior_steps": 2}, 8, 6
    ),
    "sd3-unguided": Model("sd3-controlnet-inpainting", write_sd3, UNGUIDED, _TEXT, 8, 6),
    "sd3-cached": Model("sd3-controlnet-inpainting", write_sd3, CACHED, _TEXT, 8, 2),
    # The third step is computed, since it is the first with half the batch.
    "sd3-both": Model("sd3-controlnet-inpainting", write_sd3, BOTH, _TEXT, 8, 3),
    "fill": Model("flux-1-fill-dev", write_flux_fill, CACHED, _FLUX, 4, 1),
    "controlnet": Model("flux-1-dev-controlnet-inpainting-beta", write_flux_controlnet, CACHED, _FLUX, 4, 1),
    "controlnet-true-guidance": Model(
        "flux-1-dev-controlnet-inpainting-beta", write_flux_controlnet, BOTH, {**_FLUX, "true_guidance": 3}, 8, 2
    ),
    "qwen-unguided": Model("qwen-image-inpainting", write_qwen_image, UNGUIDED, _TEXT, 8, 6),
    "qwen-cached": Model("qwen-image-inpainting", write_qwen_image, CACHED, _TEXT, 8, 2),
    "qwen-both": Model("qwen-image-inpainting", write_qwen_image, BOTH, _TEXT, 8, 2),
}


def load(model: Model, root: Path, **settings: Any) -> DiffusersPipeline:
    """Its pipeline, with the weights below `root`; `turbo` leaves out nothing at all."""
    nothing = {"step_cache": 1e-9, "guidance_until": 0.999}
    turbo = TierUse.model_validate({element: nothing[element] for element in model.use.elements})
    card = small_card(model.name, tiers={Tier.FAST: model.use, Tier.TURBO: turbo})
    pipeline = build_pipeline(card, load_settings(device="cpu", weights_dir=root, **settings))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline


def edit_of(model: Model, pipeline: DiffusersPipeline, tier: Tier = Tier.EXACT, **changes: Any) -> Edit:
    """An edit in a tier; `changes` are fields of it."""
    width, height = changes.pop("shape", (SIDE, SIDE))
    fields: dict[str, Any] = {
        "image": make_pixels(width, height),
        "region": make_region(width, height),
        "seed": 1,
        "prompt": "a red cup",
        "negative_prompt": "blurred" if pipeline.card.negative_prompt else "",
        "parameters": pipeline.card.resolve({**model.parameters, **changes.pop("parameters", {})}),
        "tier": tier,
    }
    return Edit(**{**fields, **changes})


@contextmanager
def counted_blocks(pipeline: DiffusersPipeline) -> Iterator[list[int]]:
    """While this lasts, each call of the last block of the pipeline's network is noted, with its pictures."""
    pipe, seen = pipeline.pipe, []
    if (transformer := getattr(pipe, "transformer", None)) is None:
        last = pipe.unet.conv_out
    else:
        last = (getattr(transformer, "single_transformer_blocks", None) or transformer.transformer_blocks)[-1]

    def note(_block: torch.nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(len(args[0] if args else named["hidden_states"]))

    hook = last.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()
