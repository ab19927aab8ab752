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
from inpaint_worker.pipelines.z_image_controlnet import read_z_image_controlnet


class ZImage(DiffusersPipeline):
    """Z-Image Turbo (`base`) and the ControlNet (`controlnet`)."""

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
        controlnet.register_forward_pre_hook(_without_control_image)
        pipe = read_pretrained(ZImageControlNetInpaintPipeline, self.card, "base", base, runtime, controlnet=controlnet)
        if runtime.offload:
            _part(pipe.controlnet, pipe.transformer)
        return pipe

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            "negative_prompt": edit.negative_prompt or None,
            "image": image,
            "mask_image": mask,
            "control_image": image,  # it must be given one: see `_without_control_image`
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
            "controlnet_conditioning_scale": float(edit.parameters["control_scale"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
        }

    def compile(self) -> None:
        """Diffusers knows which blocks of the transformer repeat, but not of the ControlNet."""
        super().compile()
        net = self.pipe.controlnet
        for block in (*net.control_layers, *net.control_noise_refiner):
            block.compile(fullgraph=True)


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


def _without_control_image(_net: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Zeros in place of the control image's latents, of which there are as many as of the masked picture.

    So do the authors of the ControlNet when there is none (`control_latents = torch.zeros_like(inpaint_latent)`,
    https://github.com/aigc-apps/VideoX-Fun, videox_fun/pipeline/pipeline_z_image_control.py). Diffusers insists on a
    picture and encodes it, and not even a grey one is encoded as zeros.
    """
    latents, timestep, prompt, conditioning = args
    conditioning = conditioning.clone()
    conditioning[:, : (conditioning.shape[1] - 1) // 2] = 0
    return latents, timestep, prompt, conditioning


def build(card: ModelCard, settings: Settings) -> ZImage:
    """The pipeline of a card of family `z-image`."""
    return ZImage(card, settings)
