"""Shakker Labs' ControlNet for FLUX.1 [dev]: one network for edges, depths and joints, which it tells apart itself.

https://huggingface.co/Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0. Of its six double blocks each gives a hint, in
the shape of the picture's tokens, that is added after every fourth of the nineteen double blocks of FLUX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from diffusers import FluxControlNetModel
from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsMissing
from inpaint_core.guides import ControlType
from PIL import Image

from inpaint_worker.pipelines.base import Control
from inpaint_worker.pipelines.flux_inpaint_controlnet import packed
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.weights import Located

#: What a ControlNet adds to the double blocks, and to the single ones; None: nothing.
Hints: TypeAlias = tuple[list[torch.Tensor] | None, list[torch.Tensor] | None]

#: Shares of the steps, from the first, that its card advises to control. The last ones draw details, which are freer.
_CONTROLLED = 0.8
_CONTROLLED_POSE = 0.65


@dataclass(frozen=True, slots=True)
class ControlImage:
    """A control image as the pipelines of FLUX take it."""

    #: As large as the picture.
    image: Image.Image
    scale: float
    #: The share of the steps that it binds, from the first.
    share: float

    def bind(self, step: int, steps: int) -> bool:
        """Whether they bind the step that comes after `step` others: always the first."""
        return step < max(1, int(self.share * steps))


def control_image(control: Control | None) -> ControlImage | None:
    """None at strength 0: adding zeros would cost as much as adding hints."""
    if control is None or control.strength == 0:
        return None
    share = _CONTROLLED_POSE if control.kind is ControlType.POSE else _CONTROLLED
    return ControlImage(Image.fromarray(control.image), control.strength, share)


def read_union(card: ModelCard, role: str, found: Located, runtime: Runtime) -> Any:
    """The network. Raises `WeightsMissing` for one with gaps, or that has to be told the type of an image."""
    net, report = read_pretrained(
        FluxControlNetModel,
        card,
        role,
        found,
        runtime,
        output_loading_info=True,
        device_map=None,  # with one, what is missing ends loading before the report tells of it
    )
    problem = None
    # Of these diffusers would only warn, and fill with noise what is missing.
    if differing := [*report["missing_keys"], *report["unexpected_keys"]]:
        problem = f"{len(differing)} of its weights differ, such as {min(differing)}"
    elif net.union:
        problem = "it has to be told the type of each image"
    if problem is not None:
        repo = card.weights[role].repo
        raise WeightsMissing(
            f"{card.name} needs a FLUX ControlNet that sees for itself what an image shows, and {repo} is none: "
            f"{problem}",
            repo=repo,
        )
    return net if runtime.offload else net.to(runtime.device)


def encoded(pipe: Any, given: ControlImage, width: int, height: int) -> torch.Tensor:
    """The control image as `pipe`'s networks read it: 1 x (H/16 * W/16) x 64, float as the VAE's.

    Its encoding's mean, where diffusers draws from the distribution around it: the noise that the picture begins with
    is then the same as without it.
    """
    if given.image.size != (width, height):
        raise ValueError(f"control image {given.image.size} must be as large as the picture, {(width, height)}")
    vae = pipe.vae
    pixels = pipe.image_processor.preprocess(given.image).to(device=pipe._execution_device, dtype=vae.dtype)
    latents = vae.encode(pixels).latent_dist.mode()
    return packed((latents - vae.config.shift_factor) * vae.config.scaling_factor)


def added(one: Hints, other: Hints) -> Hints:
    """What two ControlNets say together; both have as many blocks."""
    return _sum(one[0], other[0]), _sum(one[1], other[1])


def guidance(model: Any, value: float, device: torch.device) -> torch.Tensor | None:
    """For a model that was distilled with guidance as an input; others know none."""
    return torch.tensor([value], device=device) if model.config.guidance_embeds else None


def _sum(one: list[torch.Tensor] | None, other: list[torch.Tensor] | None) -> list[torch.Tensor] | None:
    if one is None or other is None:
        return one if other is None else other
    return [mine + theirs for mine, theirs in zip(one, other, strict=True)]
