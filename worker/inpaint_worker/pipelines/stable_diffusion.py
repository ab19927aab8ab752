"""Stable Diffusion 2 and XL inpainting: a U-Net that sees the masked picture in five more channels."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline
from inpaint_core.card import ModelCard
from inpaint_core.errors import OperatorError
from inpaint_core.families import ABILITIES
from inpaint_core.settings import Settings
from PIL import Image
from transformers import CLIPVisionModelWithProjection

from inpaint_worker.pipelines.acceleration_compiling import uncompiled
from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.clip_reference import for_clip
from inpaint_worker.pipelines.diffusers import DiffusersPipeline, Guide
from inpaint_worker.pipelines.guided_call import GuidedCall
from inpaint_worker.pipelines.pretrained import incomplete_weights, read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.unet_controlnet_union import UnionControlNet, read_controlnet_union
from inpaint_worker.pipelines.unet_ip_adapter import IpAdapter, read_ip_adapter

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
#: Only for reference images: read with the first of them.
_LATER = {"feature_extractor": None, "image_encoder": None}


class StableDiffusion(DiffusersPipeline):
    """Either of them: the same call, other text encoders.

    A card may name an IP-Adapter (`ip_adapter`, with its `image_encoder`), and for SDXL a ControlNet Union (`control`).
    """

    _ip_adapter: IpAdapter | None = None
    _controlnet: UnionControlNet | None = None

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        name = self.card.options.get("class", "")
        if name not in _CLASSES:
            raise OperatorError(f"{self.card.name} names the class {name!r}; it must be one of {', '.join(_CLASSES)}.")
        kind, without = _CLASSES[name]
        logging.getLogger("diffusers.models.modeling_utils").addFilter(_says_something)
        return read_pretrained(kind, self.card, "base", self.located["base"], runtime, **_LATER, **without)

    def load_guide(self, guide: Guide, runtime: Runtime) -> None:
        """See `DiffusersPipeline`."""
        if guide == "reference":
            self.pipe.register_modules(image_encoder=self._image_encoder(runtime))
            with incomplete_weights(self.card, "ip_adapter", self.located["ip_adapter"]):
                self._ip_adapter = read_ip_adapter(self.pipe, self._file("ip_adapter"))
        else:
            with incomplete_weights(self.card, "control", self.located["control"]):
                self._controlnet = read_controlnet_union(self._file("control"), self.pipe.unet, runtime)

    def _image_encoder(self, runtime: Runtime) -> Any:
        folders, found = self.card.weights["image_encoder"].folders, self.located["image_encoder"]
        return read_pretrained(
            CLIPVisionModelWithProjection,
            self.card,
            "image_encoder",
            found,
            runtime,
            subfolder=folders[0] if folders else "",  # a card of one's own may name a repository of its own
        )

    def _file(self, role: str) -> Path:
        return self.located[role].folder / (self.card.weights[role].file or "")

    def called(self, edit: Edit) -> Any:
        """See `DiffusersPipeline`. With a strength of 0 an image does nothing at all."""
        guides: list[AbstractContextManager[None]] = []
        if self._ip_adapter and edit.reference and edit.reference.strength:
            guides.append(self._ip_adapter.attending(edit.reference.strength))
            if self.runtime is not None and self.runtime.acceleration.compiling:
                guides.append(uncompiled())  # each strength, a plain number, would be compiled anew
        if self._controlnet and edit.control and edit.control.strength:
            guides.append(self._controlnet.guiding(self.pipe.unet, edit.control))
        return GuidedCall(self.pipe, *guides) if guides else self.pipe

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
            **self._reference(edit),
        }

    def _reference(self, edit: Edit) -> dict[str, Any]:
        if not edit.reference or not edit.reference.strength:
            return {}
        return {"ip_adapter_image": for_clip(edit.reference.image, self.pipe.image_encoder.config.image_size)}

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
    _check_guides(card)
    return StableDiffusion(card, settings)


def _check_guides(card: ModelCard) -> None:
    """Deployments write cards of their own: what is missing should be known before the first job that needs it."""
    for guide, roles in ABILITIES[card.family].guides.items():
        missing = [role for role in roles if role not in card.weights]
        if getattr(card, guide) is not None and missing:
            raise OperatorError(f"{card.name} takes a {guide} image and names no weights for {', '.join(missing)}.")
    if card.control is not None and card.options.get("class") != "StableDiffusionXLInpaintPipeline":
        raise OperatorError(f"{card.name} takes a control image, but ControlNet Union is made for SDXL only.")
