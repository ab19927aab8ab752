"""FLUX.2 [klein]: a distilled transformer that sees the whole picture next to the noise, and blends by the mask.

https://huggingface.co/black-forest-labs/FLUX.2-klein-4B. It sees what is under the mask, too.
"""

from __future__ import annotations

from typing import Any

from diffusers import Flux2KleinInpaintPipeline
from inpaint_core.card import ModelCard
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime

#: Guidance is distilled into the weights; another value is ignored, with a warning for each picture.
_DISTILLED = 1.0
#: Shortest side of a reference image, pixels, and the longest that a megapixel leaves it.
_SHORTEST, _LONGEST = 16, 65536


class Flux2Klein(DiffusersPipeline):
    """FLUX.2 [klein] in bfloat16. A reference image is more tokens, as many as it has pixels for."""

    varying = True

    def assemble(self, runtime: Runtime) -> Any:
        """See `DiffusersPipeline`."""
        return read_pretrained(Flux2KleinInpaintPipeline, self.card, "base", self.located["base"], runtime)

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`."""
        return {
            "prompt": edit.prompt,
            "image": image,
            "mask_image": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": _DISTILLED,
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
            "strength": float(edit.parameters["strength"]),
            # One more picture of what it sees anyway. It has no weight by which it could count for less.
            "image_reference": None if edit.reference is None else large_enough(edit.reference.image),
        }

    def steps(self, edit: Edit) -> int:
        """As diffusers counts: with less strength the first steps are left out."""
        asked = int(edit.parameters["steps"])
        return asked - int(max(asked - asked * float(edit.parameters["strength"]), 0))


def large_enough(reference: Pixels) -> Image.Image:
    """As it is, unless a side is so short that diffusers, which rounds down to multiples of 16, would leave nothing."""
    image = Image.fromarray(reference)
    width, height = (min(max(side, _SHORTEST), _LONGEST) for side in image.size)
    return image if (width, height) == image.size else image.resize((width, height))


def build(card: ModelCard, settings: Settings) -> Flux2Klein:
    """The pipeline of a card of family `flux-2-klein`."""
    return Flux2Klein(card, settings)
