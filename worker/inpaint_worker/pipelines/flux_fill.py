"""FLUX.1 Fill: the mask and the masked picture are channels of the transformer's input.

https://huggingface.co/black-forest-labs/FLUX.1-Fill-dev. In NF4 the transformer and T5 hold 4-bit weights.
"""

from __future__ import annotations

from typing import Any

from diffusers import FluxPriorReduxPipeline, FluxTransformer2DModel
from inpaint_core.card import ModelCard
from inpaint_core.errors import DeviceTooSmall
from inpaint_core.settings import Settings
from PIL import Image
from transformers import T5EncoderModel

from inpaint_worker.pipelines.acceleration import accelerate_network
from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.diffusers import DiffusersPipeline, Guide
from inpaint_worker.pipelines.flux_fill_pipeline import GuidedFluxFillPipeline
from inpaint_worker.pipelines.flux_union import control_image, read_union
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime

#: What the repository of 4-bit weights holds.
_QUANTISED = {"transformer": FluxTransformer2DModel, "text_encoder_2": T5EncoderModel}


class FluxFill(DiffusersPipeline):
    """FLUX.1 Fill in bfloat16, or with weights that are quantised already (NF4) or when they are read (fp8).

    A reference image comes in through `redux`, a control image through a ControlNet, `union`; neither is quantised.
    """

    def assemble(self, runtime: Runtime) -> Any:
        """Everything from `base`, and from `quantised` what it holds."""
        given = self._quantised(runtime) if self.card.quantisation == "nf4" else {}
        pipe = read_pretrained(GuidedFluxFillPipeline, self.card, "base", self.located["base"], runtime, **given)
        if given and not runtime.offload:
            # bitsandbytes has put the 4-bit parts on the GPU; the others are where they were read.
            pipe.vae.to(runtime.device)
            pipe.text_encoder.to(runtime.device)
        return pipe

    def load_guide(self, guide: Guide, runtime: Runtime) -> None:
        """See `DiffusersPipeline`."""
        if guide == "reference":
            redux = read_pretrained(FluxPriorReduxPipeline, self.card, "redux", self.located["redux"], runtime)
            self.pipe.register_modules(
                image_encoder=redux.image_encoder,
                feature_extractor=redux.feature_extractor,
                image_embedder=redux.image_embedder,
            )
            return
        union = read_union(self.card, "union", self.located["union"], runtime)
        accelerate_network(union, runtime.acceleration)
        self.pipe.register_modules(controlnet=union)

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`. Guides of strength 0 are left out: a token of zeros is still attended to."""
        reference = edit.reference if edit.reference and edit.reference.strength else None
        return {
            "reference": Image.fromarray(reference.image) if reference else None,
            "reference_strength": reference.strength if reference else 0.0,
            "control": control_image(edit.control),
            "prompt": edit.prompt,
            "image": image,
            "mask_image": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
            "strength": float(edit.parameters["strength"]),
        }

    def steps(self, edit: Edit) -> int:
        """As diffusers counts: with less strength the first steps are left out."""
        asked = int(edit.parameters["steps"])
        return asked - int(max(asked - asked * float(edit.parameters["strength"]), 0))

    def _quantised(self, runtime: Runtime) -> dict[str, Any]:
        # The number format is named for T5 too. Without it T5 comes as float16, the masked picture takes that over, and
        # the VAE refuses it.
        try:
            return {
                part: read_pretrained(kind, self.card, "quantised", self.located["quantised"], runtime, subfolder=part)
                for part, kind in _QUANTISED.items()
            }
        except RuntimeError as error:
            if runtime.device != "cpu":
                raise
            raise DeviceTooSmall(
                f"{self.card.name} holds 4-bit weights, which diffusers loads with a GPU only ({error}) Run it on one, "
                "or the same model without quantisation.",
                need_gb=self.card.gpu_memory_gb,
            ) from error


def build(card: ModelCard, settings: Settings) -> FluxFill:
    """The pipeline of a card of family `flux-fill`."""
    return FluxFill(card, settings)
