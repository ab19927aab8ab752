"""Stable Diffusion 3 with alimama's ControlNet for inpainting, which sees the masked picture and the mask."""

from __future__ import annotations

from typing import Any

from diffusers import SD3ControlNetModel, StableDiffusion3ControlNetInpaintingPipeline
from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.seeded import SeededConditioning, SeededPipeline

#: The mask, next to the 16 channels of the masked picture. The released config.json may not say so.
_MASK_CHANNELS = 1


class SeededSd3ControlNet(SeededConditioning, StableDiffusion3ControlNetInpaintingPipeline):  # type: ignore[misc]
    """Diffusers' pipeline, but repeatable."""


class Sd3ControlNet(SeededPipeline):
    """SD3 medium (`base`) and the ControlNet (`controlnet`)."""

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        controlnet = read_pretrained(
            SD3ControlNetModel,
            self.card,
            "controlnet",
            self.located["controlnet"],
            runtime,
            extra_conditioning_channels=_MASK_CHANNELS,
        )
        return read_pretrained(
            SeededSd3ControlNet, self.card, "base", self.located["base"], runtime, controlnet=controlnet
        )

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            "negative_prompt": edit.negative_prompt or None,
            "control_image": image,
            "control_mask": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
            "controlnet_conditioning_scale": float(edit.parameters["control_scale"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
        }


def build(card: ModelCard, settings: Settings) -> Sd3ControlNet:
    """The pipeline of a card of SD3 with an inpainting ControlNet."""
    return Sd3ControlNet(card, settings)
