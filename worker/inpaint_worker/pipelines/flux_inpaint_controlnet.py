"""alimama's ControlNet for inpainting: FLUX's, told the mask as well as the picture.

https://huggingface.co/alimama-creative/FLUX.1-dev-Controlnet-Inpainting-Beta
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import FluxControlNetModel
from diffusers.configuration_utils import register_to_config


class FluxInpaintControlNetModel(FluxControlNetModel):  # type: ignore[misc]  # to mypy diffusers is Any
    """A `FluxControlNetModel` whose tokens of condition are wider by the mask: 68 features instead of 64.

    diffusers' own class cannot load the checkpoint; told to ignore the shapes, it begins with zeros where the picture
    enters, and then paints without having seen it.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 64,
        num_layers: int = 19,
        num_single_layers: int = 38,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 4096,
        pooled_projection_dim: int = 768,
        guidance_embeds: bool = False,
        axes_dims_rope: Sequence[int] = (16, 56, 56),
        num_mode: int | None = None,
        conditioning_embedding_channels: int | None = None,
        extra_condition_channels: int = 4,
    ) -> None:
        # All by name: diffusers reads this signature to know what a configuration may hold.
        super().__init__(
            patch_size=patch_size,
            in_channels=in_channels,
            num_layers=num_layers,
            num_single_layers=num_single_layers,
            attention_head_dim=attention_head_dim,
            num_attention_heads=num_attention_heads,
            joint_attention_dim=joint_attention_dim,
            pooled_projection_dim=pooled_projection_dim,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=list(axes_dims_rope),
            num_mode=num_mode,
            conditioning_embedding_channels=conditioning_embedding_channels,
        )
        self.controlnet_x_embedder = torch.nn.Linear(in_channels + extra_condition_channels, self.inner_dim)


def blackened(picture: torch.Tensor, repainted: torch.Tensor) -> torch.Tensor:
    """The picture, B x 3 x H x W from -1 to 1, without what is repainted: -1, where FLUX Fill and SD have 0."""
    return torch.where(repainted > 0.5, torch.full_like(picture, -1.0), picture)


def condition(latents: torch.Tensor, repainted: torch.Tensor) -> torch.Tensor:
    """What the ControlNet is told.

    Args:
        latents: of the blackened picture, shifted and scaled; B x 16 x H/8 x W/8.
        repainted: 1 where it is repainted; B x 1 x H x W.

    Returns:
        B x (H/16 * W/16) x 68. A token is a square of 2 x 2 latents: 64 features of the picture, then 4 of the mask, in
        which 1 is what stays.
    """
    kept = 1 - torch.nn.functional.interpolate(repainted.float(), size=latents.shape[-2:], mode="nearest")
    return packed(torch.cat([latents, kept.to(latents)], dim=1))


def packed(latents: torch.Tensor) -> torch.Tensor:
    """B x C x H x W as tokens of 2 x 2: B x (H/2 * W/2) x 4C, the four of a channel side by side."""
    batch, channels, height, width = latents.shape
    squares = latents.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(batch, (height // 2) * (width // 2), channels * 4)
