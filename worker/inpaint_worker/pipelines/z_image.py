"""Z-Image Turbo with alibaba-pai's union ControlNet, which sees the masked picture, the mask, and a control image.

https://huggingface.co/alibaba-pai/Z-Image-Turbo-Fun-Controlnet-Union-2.1
"""

from __future__ import annotations

import copy
from typing import Any

from diffusers import ZImageControlNetInpaintPipeline, ZImageTransformer2DModel
from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.pretrained import incomplete_weights, read_pretrained
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.z_image_controlnet import ControlLatents, read_z_image_controlnet


class ZImage(DiffusersPipeline):
    """Z-Image Turbo (`base`) and the ControlNet (`controlnet`), which takes control images, too."""

    varying = True

    def __init__(self, card: ModelCard, settings: Settings) -> None:
        super().__init__(card, settings)
        self._control = ControlLatents()

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        base, found = self.located["base"], self.located["controlnet"]
        with incomplete_weights(self.card, "base", base):
            transformer = ZImageTransformer2DModel.load_config(
                base.folder, subfolder="transformer", local_files_only=True
            )
        with incomplete_weights(self.card, "controlnet", found):
            file = found.folder / (self.card.weights["controlnet"].file or "")
            controlnet = read_z_image_controlnet(file, transformer["n_layers"], runtime.dtype)
        controlnet.register_forward_pre_hook(self._control)
        pipe = read_pretrained(ZImageControlNetInpaintPipeline, self.card, "base", base, runtime, controlnet=controlnet)
        if runtime.offload:
            _part(pipe.controlnet, pipe.transformer)
        return pipe

    def called(self, edit: Edit) -> Any:
        """See `DiffusersPipeline`."""
        self._control.strength = 0.0 if edit.control is None else edit.control.strength
        return self.pipe

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            "negative_prompt": edit.negative_prompt or None,
            "image": image,
            "mask_image": mask,
            # Diffusers insists on one, whose latents `ControlLatents` takes away if nobody gave any.
            "control_image": image if edit.control is None else Image.fromarray(edit.control.image),
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
            "controlnet_conditioning_scale": float(edit.parameters["control_scale"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
        }


def _part(net: Any, transformer: Any) -> None:
    """Copy what the ControlNet borrows of the transformer (1.5 GB), so that each can move to the GPU as a whole.

    Where a model is accelerate tells from its first parameter. Were that a borrowed one, moved with the ControlNet, it
    would leave the rest of the transformer behind.
    """
    borrowed = {id(parameter) for parameter in transformer.parameters()}
    for name, child in list(net.named_children()):
        if any(id(parameter) in borrowed for parameter in child.parameters()):
            setattr(net, name, copy.deepcopy(child))
    for name, parameter in list(net.named_parameters(recurse=False)):
        setattr(net, name, copy.deepcopy(parameter))


def build(card: ModelCard, settings: Settings) -> ZImage:
    """The pipeline of a card of family `z-image`."""
    return ZImage(card, settings)
