"""FLUX.1 [dev] steered by alimama's ControlNet for inpainting, one picture at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxControlNetPipeline,
    FluxTransformer2DModel,
)
from diffusers.pipelines.flux.pipeline_flux_controlnet import calculate_shift
from diffusers.pipelines.flux.pipeline_output import FluxPipelineOutput
from PIL import Image
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    T5EncoderModel,
    T5TokenizerFast,
)

from inpaint_worker.pipelines.flux_inpaint_controlnet import blackened, condition
from inpaint_worker.pipelines.flux_ip_adapter import IpAdapter
from inpaint_worker.pipelines.flux_union import ControlImage, Hints, added, encoded, guidance

#: What the negative prompt sees in place of the reference, as in diffusers: black.
_NOTHING = Image.new("RGB", (32, 32))


@dataclass(frozen=True, slots=True)
class _Text:
    """A prompt as the models read it."""

    tokens: torch.Tensor
    pooled: torch.Tensor
    ids: torch.Tensor
    #: What is attended to beside it: the embedding that CLIP gives of a picture, one for each IP-Adapter.
    seen: list[torch.Tensor] | None = None


@dataclass(frozen=True, slots=True)
class _Followed:
    """A control image, encoded."""

    given: ControlImage
    condition: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Scene:
    """What stays the same over the steps."""

    condition: torch.Tensor
    #: Where each token of the picture is.
    ids: torch.Tensor
    guidance: float
    control_scale: float
    followed: _Followed | None


class FluxInpaintControlNetPipeline(FluxControlNetPipeline):  # type: ignore[misc]  # to mypy diffusers is Any
    """diffusers' pipeline with a loop of its own: its parts, LoRAs and offloading are inherited.

    diffusers' loop runs the ControlNet on the prompt only and gives its answer to the negative prompt as well. The net
    was trained and published with both, and the pictures differ visibly.
    A second ControlNet, `union`, and an IP-Adapter may come later: what is painted without them stays as it was.
    """

    # Each part sends back to the CPU the one named before it, and only that: T5 has to stand before the transformer, or
    # edits without a reference would leave it on the GPU. In diffusers the image encoder stands between them.
    model_cpu_offload_seq = "image_encoder->text_encoder->text_encoder_2->transformer->vae"
    _optional_components = ["image_encoder", "feature_extractor", "union"]  # noqa: RUF012
    #: Of `transformer`, for reference images.
    ip_adapter: IpAdapter | None = None

    def __init__(
        self,
        scheduler: FlowMatchEulerDiscreteScheduler,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        text_encoder_2: T5EncoderModel,
        tokenizer_2: T5TokenizerFast,
        transformer: FluxTransformer2DModel,
        controlnet: FluxControlNetModel,
        image_encoder: CLIPVisionModelWithProjection | None = None,
        feature_extractor: CLIPImageProcessor | None = None,
        union: FluxControlNetModel | None = None,
    ) -> None:
        # All by name: diffusers reads this signature to know what a pipeline consists of.
        super().__init__(
            scheduler=scheduler,
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            text_encoder_2=text_encoder_2,
            tokenizer_2=tokenizer_2,
            transformer=transformer,
            controlnet=controlnet,
            image_encoder=image_encoder,
            feature_extractor=feature_extractor,
        )
        self.register_modules(union=union)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        image: Image.Image,
        mask_image: Image.Image,
        *,
        height: int,
        width: int,
        negative_prompt: str = "",
        num_inference_steps: int = 28,
        guidance_scale: float = 3.5,
        controlnet_conditioning_scale: float = 0.9,
        true_cfg_scale: float = 1.0,
        max_sequence_length: int = 512,
        reference: Image.Image | None = None,
        reference_strength: float = 1.0,
        control: ControlImage | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        callback_on_step_end: Callable[..., dict[str, Any]] | None = None,
    ) -> Any:
        """Repaint `image` where `mask_image` is white.

        Both are of `width` and `height`, which are multiples of 16. `negative_prompt` counts if `true_cfg_scale` is
        above 1. `reference` needs `ip_adapter`, `control` needs `union`. The negative prompt follows the control image
        as well, and sees black for a reference. Nothing is kept between calls: an exception of the callback leaves the
        pipeline as it was.
        """
        side = 2 * self.vae_scale_factor
        if height % side or width % side or not image.size == mask_image.size == (width, height):
            raise ValueError(
                f"picture {image.size} and mask {mask_image.size} must be {(width, height)}, in multiples of {side}"
            )
        texts = [self._read(prompt, max_sequence_length, reference)]
        if true_cfg_scale > 1:
            texts.append(self._read(negative_prompt, max_sequence_length, None if reference is None else _NOTHING))
        dtype = texts[0].tokens.dtype
        told = self._condition(image, mask_image, generator).to(dtype)
        followed = _Followed(control, encoded(self, control, width, height).to(dtype)) if control else None
        latents, ids = self.prepare_latents(
            1, self.vae.config.latent_channels, height, width, dtype, self._execution_device, generator
        )
        scene = _Scene(told, ids, guidance_scale, controlnet_conditioning_scale, followed)
        timesteps = self._timesteps(num_inference_steps, latents.shape[1])
        adapter = None if reference is None else self.ip_adapter
        seeing = nullcontext() if adapter is None else adapter.applied(self, reference_strength)
        with seeing, self.progress_bar(total=len(timesteps)) as bar:
            for index, timestep in enumerate(timesteps):
                follow = followed is not None and followed.given.bind(index, len(timesteps))
                velocity, *away = [self._velocity(latents, timestep, text, scene, follow=follow) for text in texts]
                if away:
                    velocity = away[0] + true_cfg_scale * (velocity - away[0])
                latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
                if callback_on_step_end is not None:
                    changed = callback_on_step_end(self, index, timestep, {"latents": latents})
                    latents = changed.get("latents", latents)
                bar.update()
            painted = latents if output_type == "latent" else self._decode(latents, height, width, output_type)
            self.maybe_free_model_hooks()
        return FluxPipelineOutput(images=painted)

    def _read(self, prompt: str, longest: int, picture: Image.Image | None) -> _Text:
        device = self._execution_device
        seen = None if picture is None else self.prepare_ip_adapter_image_embeds(picture, None, device, 1)
        tokens, pooled, ids = self.encode_prompt(prompt, device=device, max_sequence_length=longest)
        return _Text(tokens, pooled, ids, seen)

    def _condition(
        self, image: Image.Image, mask_image: Image.Image, generator: torch.Generator | None
    ) -> torch.Tensor:
        at: dict[str, Any] = {"device": self._execution_device, "dtype": self.vae.dtype}
        picture = self.image_processor.preprocess(image).to(**at)
        repainted = torch.from_numpy(np.asarray(mask_image.convert("L")) > 127)[None, None].to(**at)
        latents = self.vae.encode(blackened(picture, repainted)).latent_dist.sample(generator)
        return condition((latents - self.vae.config.shift_factor) * self.vae.config.scaling_factor, repainted)

    def _timesteps(self, steps: int, tokens: int) -> torch.Tensor:
        """Set the scheduler back to the beginning. Larger pictures spend more of the steps where it is noisy."""
        limits = ("base_image_seq_len", 256), ("max_image_seq_len", 4096), ("base_shift", 0.5), ("max_shift", 1.15)
        mu = calculate_shift(tokens, *(self.scheduler.config.get(name, default) for name, default in limits))
        self.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), device=self._execution_device, mu=mu)
        timesteps: torch.Tensor = self.scheduler.timesteps
        return timesteps

    def _velocity(
        self, latents: torch.Tensor, timestep: torch.Tensor, text: _Text, scene: _Scene, *, follow: bool
    ) -> torch.Tensor:
        """What the transformer says, hinted by the ControlNets, all having read the same text."""
        shared: dict[str, Any] = {
            "hidden_states": latents,
            "timestep": timestep.expand(1).to(latents.dtype) / 1000,
            "encoder_hidden_states": text.tokens,
            "pooled_projections": text.pooled,
            "txt_ids": text.ids,
            "img_ids": scene.ids,
            "return_dict": False,
        }
        double, single = self._hints(shared, scene, follow=follow)
        seen = {} if text.seen is None else {"joint_attention_kwargs": {"ip_adapter_image_embeds": text.seen}}
        velocity: torch.Tensor = self.transformer(
            controlnet_block_samples=double,
            controlnet_single_block_samples=single,
            guidance=guidance(self.transformer, scene.guidance, latents.device),
            **shared,
            **seen,
        )[0]
        return velocity

    def _hints(self, shared: dict[str, Any], scene: _Scene, *, follow: bool) -> Hints:
        """Of the surroundings, and where they `follow` it, of the control image too."""
        device = scene.condition.device
        hints: Hints = self.controlnet(
            controlnet_cond=scene.condition,
            conditioning_scale=scene.control_scale,
            guidance=guidance(self.controlnet, scene.guidance, device),
            **shared,
        )
        if not follow or scene.followed is None:
            return hints
        more: Hints = self.union(
            controlnet_cond=scene.followed.condition,
            conditioning_scale=scene.followed.given.scale,
            guidance=guidance(self.union, scene.guidance, device),
            **shared,
        )
        return added(hints, more)

    def _decode(self, latents: torch.Tensor, height: int, width: int, output_type: str) -> Any:
        unpacked = self._unpack_latents(latents, height, width, self.vae_scale_factor)
        scaled = unpacked / self.vae.config.scaling_factor + self.vae.config.shift_factor
        return self.image_processor.postprocess(self.vae.decode(scaled, return_dict=False)[0], output_type=output_type)
