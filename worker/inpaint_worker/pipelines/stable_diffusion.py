"""Stable Diffusion 2 and XL inpainting: a U-Net that sees the masked picture in five more channels."""

from __future__ import annotations

import logging
from typing import Any

from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline
from inpaint_core.card import ModelCard
from inpaint_core.errors import OperatorError
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime

#: Class on the card -> itself, and what it does without. The fleet's clients are trusted with what they see: no
#: safety checker, which paints whole pictures black on a false alarm. No invisible watermark either: it would change
#: pixels that nobody asked to change.
_CLASSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "StableDiffusionInpaintPipeline": (
        StableDiffusionInpaintPipeline,
        {"safety_checker": None, "requires_safety_checker": False},
    ),
    "StableDiffusionXLInpaintPipeline": (StableDiffusionXLInpaintPipeline, {"add_watermarker": False}),
}
#: Only for pictures as prompts.
_UNUSED = {"feature_extractor": None, "image_encoder": None}


class StableDiffusion(DiffusersPipeline):
    """Either of them: the same call, other text encoders."""

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        name = self.card.options.get("class", "")
        if name not in _CLASSES:
            raise OperatorError(f"{self.card.name} names the class {name!r}; it must be one of {', '.join(_CLASSES)}.")
        kind, without = _CLASSES[name]
        logging.getLogger("diffusers.models.modeling_utils").addFilter(_says_something)
        return read_pretrained(kind, self.card, "base", self.located["base"], runtime, **_UNUSED, **without)

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            # Without one, SDXL takes zeros instead of the embedding of an empty text.
            "negative_prompt": edit.negative_prompt or None,
            "image": image,
            "mask_image": mask,
            "num_inference_steps": asked_steps(int(edit.parameters["steps"]), float(edit.parameters["strength"])),
            "guidance_scale": float(edit.parameters["guidance"]),
            "strength": float(edit.parameters["strength"]),
        }

    def steps(self, edit: Edit) -> int:
        """Those that really run: strength leaves out the first ones, and PNDM, SD2's scheduler, makes one twice."""
        strength = float(edit.parameters["strength"])
        asked = asked_steps(int(edit.parameters["steps"]), strength)
        scheduler = type(self.pipe.scheduler).from_config(self.pipe.scheduler.config)  # it has a state
        scheduler.set_timesteps(asked)
        left_out = asked - _kept(asked, strength)
        return len(scheduler.timesteps) - left_out * int(scheduler.order)


def _says_something(record: logging.LogRecord) -> bool:
    """Not the warning that no part stays in single precision, four times a picture where SDXL's VAE is converted."""
    return "should be kept in float32: []" not in record.getMessage()


def asked_steps(steps: int, strength: float) -> int:
    """How many steps diffusers must be asked for: `steps`, or the fewest of which `strength` leaves one."""
    while _kept(steps, strength) < 1:
        steps += 1
    return steps


def _kept(steps: int, strength: float) -> int:
    """As diffusers rounds it (`get_timesteps`)."""
    return min(int(steps * strength), steps)


def build(card: ModelCard, settings: Settings) -> StableDiffusion:
    """The pipeline of a card of SD2 or SDXL inpainting."""
    strength = card.parameters["strength"]
    if not strength.minimum or strength.minimum <= 0:
        raise OperatorError(
            f"{card.name}: parameters.strength.minimum must be above 0: at 0, no number of steps would leave one."
        )
    return StableDiffusion(card, settings)
