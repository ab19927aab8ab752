"""FLUX.1 [dev] with alimama's ControlNet for inpainting, and with a LoRA that makes it quick (Turbo)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_worker.pipelines.acceleration import accelerate_network
from inpaint_worker.pipelines.base import Edit
from inpaint_worker.pipelines.clip_reference import for_clip
from inpaint_worker.pipelines.diffusers import DiffusersPipeline, Guide
from inpaint_worker.pipelines.flux_inpaint_controlnet import FluxInpaintControlNetModel
from inpaint_worker.pipelines.flux_inpaint_pipeline import FluxInpaintControlNetPipeline
from inpaint_worker.pipelines.flux_ip_adapter import read_ip_adapter
from inpaint_worker.pipelines.flux_union import control_image, read_union
from inpaint_worker.pipelines.pretrained import read_pretrained
from inpaint_worker.pipelines.runtime import Runtime

_LORA = "turbo"


class FluxControlNet(DiffusersPipeline):
    """`base`, steered by `controlnet`; `lora`, where the card has one, becomes part of the weights.

    A reference image comes in through an IP-Adapter, a control image through a second ControlNet, `union`.
    """

    def assemble(self, runtime: Runtime) -> Any:
        """The LoRA is added once: a step then costs as much as without it."""
        controlnet = self._controlnet(runtime)
        base = self.located["base"]
        pipe = read_pretrained(FluxInpaintControlNetPipeline, self.card, "base", base, runtime, controlnet=controlnet)
        if "lora" in self.located:
            if not runtime.offload:
                pipe.to(runtime.device)  # where adding twelve billion numbers is quick
            pipe.load_lora_weights(
                self.located["lora"].folder,
                weight_name=self.card.weights["lora"].file,
                adapter_name=_LORA,
                use_safetensors=True,
                local_files_only=True,
            )
            pipe.fuse_lora(components=["transformer"], lora_scale=1.0)
            pipe.unload_lora_weights()
        return pipe

    def load_guide(self, guide: Guide, runtime: Runtime) -> None:
        """See `DiffusersPipeline`."""
        if guide == "reference":
            self.pipe.ip_adapter = read_ip_adapter(self.pipe, self.card, self.located, runtime)
            return
        union = read_union(self.card, "union", self.located["union"], runtime)
        blocks = len(self.pipe.controlnet.transformer_blocks), len(self.pipe.controlnet.single_transformer_blocks)
        if blocks != (found := (len(union.transformer_blocks), len(union.single_transformer_blocks))):
            repo = self.card.weights["union"].repo
            raise WeightsMissing(
                f"{self.card.name} adds what two ControlNets say, block by block: the one for inpainting has {blocks} "
                f"double and single blocks, and {repo} has {found}.",
                repo=repo,
            )
        accelerate_network(union, runtime.acceleration)
        self.pipe.register_modules(union=union)

    def arguments(self, edit: Edit, image: Image.Image, mask: Image.Image) -> dict[str, Any]:
        """See `DiffusersPipeline`. Guides of strength 0 are left out: the arithmetic is then that without them."""
        reference = edit.reference if edit.reference and edit.reference.strength else None
        return {
            "reference": for_clip(reference.image, self._clip_side) if reference else None,
            "reference_strength": reference.strength if reference else 0.0,
            "control": control_image(edit.control),
            "prompt": edit.prompt,
            "negative_prompt": edit.negative_prompt,
            "image": image,
            "mask_image": mask,
            "num_inference_steps": int(edit.parameters["steps"]),
            "guidance_scale": float(edit.parameters["guidance"]),
            "controlnet_conditioning_scale": float(edit.parameters["control_scale"]),
            "true_cfg_scale": float(edit.parameters["true_guidance"]),
            "max_sequence_length": int(edit.parameters["prompt_tokens"]),
        }

    @property
    def _clip_side(self) -> int:
        return int(self.pipe.image_encoder.config.image_size)

    def _controlnet(self, runtime: Runtime) -> Any:
        found = self.located["controlnet"]
        try:
            model, report = read_pretrained(
                FluxInpaintControlNetModel,
                self.card,
                "controlnet",
                found,
                runtime,
                output_loading_info=True,
                device_map=None,  # with one, what is missing ends loading before the report tells of it
            )
        except WeightsMissing as error:
            if isinstance(error.__cause__, ValueError):  # shapes that differ
                raise self._not_for_inpainting(str(error.__cause__)) from error
            raise
        # Of these diffusers would only warn, and fill with noise what is missing.
        if differing := [*report["missing_keys"], *report["unexpected_keys"]]:
            raise self._not_for_inpainting(f"{len(differing)} of its weights differ, such as {min(differing)}")
        return model

    def _not_for_inpainting(self, problem: str) -> WeightsMissing:
        return WeightsMissing(
            f"{self.card.name} needs a FLUX ControlNet for inpainting, which sees 68 features a token, and "
            f"{self.card.weights['controlnet'].repo} is none: {problem[:300]}",
            repo=self.card.weights["controlnet"].repo,
        )


def build(card: ModelCard, settings: Settings) -> FluxControlNet:
    """The pipeline of a card of family `flux-controlnet`."""
    if "lora" in card.weights:
        import_module("peft")  # diffusers loads LoRAs through it: better missed here than after 34 GB are read
    return FluxControlNet(card, settings)
