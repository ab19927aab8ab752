"""Qwen-Image with InstantX's ControlNet for inpainting, which sees the masked picture and the mask.

https://huggingface.co/InstantX/Qwen-Image-ControlNet-Inpainting
"""

from __future__ import annotations

from typing import Any

from diffusers import QwenImageControlNetInpaintPipeline, QwenImageControlNetModel
from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.seeded import SeededConditioning, SeededPipeline

#: The text to stay away from when nobody names one. Without any, diffusers leaves guidance out, whatever its scale.
_NOTHING_TO_AVOID = " "


class SeededQwenImageControlNet(SeededConditioning, QwenImageControlNetInpaintPipeline):  # type: ignore[misc]
    """Diffusers' pipeline, but repeatable."""


class QwenImage(SeededPipeline):
    """Qwen-Image (`base`) and the ControlNet (`controlnet`)."""

    varying = True

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        controlnet = read_pretrained(
            QwenImageControlNetModel, self.card, "controlnet", self.located["controlnet"], runtime
        )
        return read_pretrained(
            SeededQwenImageControlNet, self.card, "base", self.located["base"], runtime, controlnet=controlnet
        )

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`. `guidance_scale` is for distilled models, of which this is none."""
        return {
            "prompt": edit.prompt,
            "negative_prompt": edit.negative_prompt or _NOTHING_TO_AVOID,
            "control_image": image,
            "control_mask": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "true_cfg_scale": float(edit.parameters["guidance"]),
            "controlnet_conditioning_scale": float(edit.parameters["control_scale"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
        }


def build(card: ModelCard, settings: Settings) -> QwenImage:
    """The pipeline of a card of family `qwen-image`."""
    return QwenImage(card, settings)
