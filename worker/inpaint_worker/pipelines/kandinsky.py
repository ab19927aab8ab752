"""Kandinsky 2.2 inpainting: a prior makes the idea of an image from the prompt, a decoder paints it into the mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from diffusers import KandinskyV22InpaintCombinedPipeline, KandinskyV22InpaintPipeline, KandinskyV22PriorPipeline
from diffusers.pipelines.kandinsky2_2 import pipeline_kandinsky2_2_inpainting as diffusers_inpainting
from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.base import Edit, Reference, StepCallback
from inpaint_worker.pipelines.clip_reference import for_clip
from inpaint_worker.pipelines.diffusers import DiffusersPipeline, counted
from inpaint_worker.pipelines.guided_call import GuidedCall
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.prompts import remember_prompts
from inpaint_worker.pipelines.runtime import Runtime

#: Neighbours that a repainted latent takes with it, as (down, right): all but those across one diagonal.
_NEIGHBOURS = ((1, 0), (0, 1), (1, 1), (-1, 0), (0, -1), (-1, -1))


class Kandinsky(DiffusersPipeline):
    """The decoder (`base`) and the prior (`prior`), each a repository of its own."""

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`. Diffusers' own way looks the prior up on the hub."""
        diffusers_inpainting.prepare_mask = widen_repainted
        decoder = read_pretrained(KandinskyV22InpaintPipeline, self.card, "base", self.located["base"], runtime)
        prior = read_pretrained(KandinskyV22PriorPipeline, self.card, "prior", self.located["prior"], runtime)
        parts = {f"prior_{name}": part for name, part in prior.components.items()}
        combined = KandinskyV22InpaintCombinedPipeline(**decoder.components, **parts)
        self._forget.append(remember_prompts(combined.prior_pipe, "_encode_prompt"))
        return combined

    def called(self, edit: Edit) -> Any:
        """See `DiffusersPipeline`. A reference image needs nothing more: the prior has an image encoder."""
        if not edit.reference or not edit.reference.strength:
            return self.pipe
        return GuidedCall(self.pipe, _mixing(self.pipe, edit.reference))

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            # Without one, the prior takes the embedding of a black picture instead of that of an empty text.
            "negative_prompt": edit.negative_prompt or None,
            "image": image,
            "mask_image": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "prior_num_inference_steps": int(edit.parameters["prior_steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
        }

    def steps(self, edit: Edit) -> int:
        """Those of the prior and of the decoder."""
        return int(edit.parameters["prior_steps"]) + int(edit.parameters["steps"])

    def denoising_steps(self, edit: Edit) -> int:
        """Those of the decoder. The prior has a network of its own, which no tier spares."""
        return int(edit.parameters["steps"])

    def callbacks(self, edit: Edit, on_step: StepCallback) -> dict[str, Any]:
        """Both parts tell of their steps, the decoder after the prior."""
        before, total = int(edit.parameters["prior_steps"]), self.steps(edit)
        return {
            "prior_callback_on_step_end": counted(on_step, total),
            "callback_on_step_end": counted(on_step, total, before=before),
        }


@contextmanager
def _mixing(pipe: Any, reference: Reference) -> Iterator[None]:
    """The prior of `pipe` mixes its ideas with that of a picture."""
    prior = pipe.prior_pipe
    pipe.prior_pipe = partial(mixed, prior, reference)
    try:
        yield
    finally:
        pipe.prior_pipe = prior


def mixed(prior: Any, reference: Reference, **arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What `prior` makes of the prompt, (1 - strength) parts, and of the picture, strength parts; and what to avoid.

    So mixes diffusers' `interpolate`, too. That runs the prior twice, tells nobody of its steps, and takes the negative
    prompt in another way than edits without a reference image do.
    """
    idea, avoided = prior(**arguments)
    picture = for_clip(reference.image, prior.image_encoder.config.image_size)
    seen = prior.image_processor(picture, return_tensors="pt").pixel_values
    shown = prior.image_encoder(seen.to(idea.device, prior.image_encoder.dtype))["image_embeds"]
    strength = reference.strength or 0.0
    return (1 - strength) * idea + strength * shown.to(idea.dtype), avoided


def widen_repainted(keep: torch.Tensor) -> torch.Tensor:
    """What is not 1 in `keep`, N x 1 x H x W, also takes its neighbours: they become 0.

    Equal to diffusers' `prepare_mask`, which asks the GPU for each latent by itself: seconds for one picture.
    """
    height, width = keep.shape[-2:]
    repainted = keep != 1
    padded = torch.nn.functional.pad(repainted, (1, 1, 1, 1))
    touched = torch.zeros_like(repainted)
    for down, right in _NEIGHBOURS:
        touched |= padded[..., 1 - down : 1 - down + height, 1 - right : 1 - right + width]
    return torch.where(touched, torch.zeros_like(keep), keep)


def build(card: ModelCard, settings: Settings) -> Kandinsky:
    """The pipeline of a card of Kandinsky 2.2."""
    return Kandinsky(card, settings)
