"""FLUX.1 Fill guided by a reference image, through Redux, and by a control image, through a ControlNet of FLUX [dev].

https://huggingface.co/black-forest-labs/FLUX.1-Redux-dev. diffusers has Fill with neither; both leave its loop alone.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxFillPipeline,
    FluxTransformer2DModel,
)
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from PIL import Image
from transformers import (
    CLIPTextModel,
    CLIPTokenizer,
    SiglipImageProcessor,
    SiglipVisionModel,
    T5EncoderModel,
    T5TokenizerFast,
)

from inpaint_worker.pipelines.flux_union import ControlImage, encoded, guidance

#: What the ControlNet is told. It was trained with 1 to 7; Fill's own 30 would be nothing that it has seen.
_CONTROL_GUIDANCE = 3.5
#: What the ControlNet reads as the transformer does.
_SHARED = ("timestep", "encoder_hidden_states", "pooled_projections", "txt_ids", "img_ids")


class GuidedFluxFillPipeline(FluxFillPipeline):  # type: ignore[misc]  # to mypy diffusers is Any
    """diffusers' pipeline; without guides a call is its own, bit for bit. What guides need may come later."""

    # Each part sends back to the CPU the one named before it, and only that: T5 has to stand before the transformer, or
    # edits without a reference would leave it on the GPU. The ControlNet works in every step, as the transformer does.
    model_cpu_offload_seq = "image_encoder->image_embedder->text_encoder->text_encoder_2->transformer->vae"
    _optional_components = ["image_encoder", "feature_extractor", "image_embedder", "controlnet"]  # noqa: RUF012

    def __init__(
        self,
        scheduler: FlowMatchEulerDiscreteScheduler,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        text_encoder_2: T5EncoderModel,
        tokenizer_2: T5TokenizerFast,
        transformer: FluxTransformer2DModel,
        image_encoder: SiglipVisionModel | None = None,
        feature_extractor: SiglipImageProcessor | None = None,
        image_embedder: ReduxImageEncoder | None = None,
        controlnet: FluxControlNetModel | None = None,
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
        )
        self.register_modules(
            image_encoder=image_encoder,
            feature_extractor=feature_extractor,
            image_embedder=image_embedder,
            controlnet=controlnet,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        *,
        width: int,
        height: int,
        reference: Image.Image | None = None,
        reference_strength: float = 1.0,
        control: ControlImage | None = None,
        max_sequence_length: int = 512,
        **named: Any,
    ) -> Any:
        """See `FluxFillPipeline`; `reference` and `control` guide it. Nothing of them is kept between calls."""
        text: dict[str, Any] = {"prompt": prompt}
        if reference is not None:
            text = self._text_and_picture(prompt, max_sequence_length, reference, reference_strength)
        bound = self._bound(control, width, height) if control is not None else contextlib.nullcontext()
        with bound:
            return super().__call__(
                **text, width=width, height=height, max_sequence_length=max_sequence_length, **named
            )

    def _text_and_picture(
        self, prompt: str, longest: int, reference: Image.Image, strength: float
    ) -> dict[str, torch.Tensor]:
        """T5's tokens, and behind them the reference's: 1 x (tokens of text + 729) x 4096.

        diffusers' own pipeline scales both. Here the text stays as it is.
        """
        seen = self._seen(reference)
        # Just as FluxFillPipeline calls it: a prompt is then remembered for edits with and without a reference.
        words, pooled, _ = self.encode_prompt(
            prompt=prompt,
            prompt_2=None,
            prompt_embeds=None,
            pooled_prompt_embeds=None,
            device=self._execution_device,
            num_images_per_prompt=1,
            max_sequence_length=longest,
            lora_scale=None,
        )
        both = torch.cat([words, seen.to(words) * strength], dim=1)
        return {"prompt_embeds": both, "pooled_prompt_embeds": pooled}

    def _seen(self, reference: Image.Image) -> torch.Tensor:
        """A picture of any shape as FLUX reads it: SigLIP sees it as a square."""
        pixels = self.feature_extractor.preprocess(
            images=reference, do_resize=True, do_convert_rgb=True, return_tensors="pt"
        ).pixel_values
        pixels = pixels.to(device=self._execution_device, dtype=self.image_encoder.dtype)
        embedded: torch.Tensor = self.image_embedder(self.image_encoder(pixels).last_hidden_state).image_embeds
        return embedded

    @contextlib.contextmanager
    def _bound(self, control: ControlImage, width: int, height: int) -> Iterator[None]:
        """While this lasts, the ControlNet gives the transformer hints."""
        net = self.controlnet
        condition = encoded(self, control, width, height)
        latents = net.config.in_channels
        step = itertools.count()

        def hint(_model: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if not control.bind(next(step), self.num_timesteps):
                return args, named
            # Fill's tokens are wider than FLUX [dev]'s: behind the latents come the masked picture and the mask. Of a
            # view some processors would multiply in another order than of a copy, which offloading may make of it.
            tokens = named["hidden_states"][..., :latents].contiguous()
            double, single = net(
                hidden_states=tokens,
                controlnet_cond=condition.to(tokens),
                conditioning_scale=control.scale,
                guidance=guidance(net, _CONTROL_GUIDANCE, tokens.device),
                return_dict=False,
                **{name: named[name] for name in _SHARED},
            )
            return args, {**named, "controlnet_block_samples": double, "controlnet_single_block_samples": single}

        handle = self.transformer.register_forward_pre_hook(hint, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
