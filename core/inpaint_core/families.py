"""What each family of pipelines can do beside painting after a prompt. A card may claim that, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a pipeline would otherwise leave unheeded, without a word."""

    negative_prompt: bool = False
    #: Reference and control images that it takes, and the weights that a card has to name for them.
    guides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Its reference image can count for less.
    reference_strength: bool = True
    #: What its quicker tiers may consist of, by the names of `TierUse`'s fields.
    tiers: tuple[str, ...] = ()


ABILITIES: Mapping[str, Abilities] = {
    "opencv": Abilities(),
    "stable-diffusion": Abilities(
        negative_prompt=True,
        guides={"reference": ("ip_adapter", "image_encoder"), "control": ("control",)},
        tiers=("guidance_until",),
    ),
    "sd3-controlnet": Abilities(negative_prompt=True, tiers=("step_cache", "guidance_until")),
    "kandinsky": Abilities(negative_prompt=True, guides={"reference": ()}, tiers=("guidance_until",)),
    "flux-fill": Abilities(guides={"reference": ("redux",), "control": ("union",)}, tiers=("step_cache",)),
    "flux-controlnet": Abilities(
        negative_prompt=True,
        guides={"reference": ("ip_adapter", "image_encoder"), "control": ("union",)},
        tiers=("step_cache",),
    ),
    "flux-2-klein": Abilities(guides={"reference": ()}, reference_strength=False),
    "z-image": Abilities(negative_prompt=True, guides={"control": ()}),
    "qwen-image": Abilities(negative_prompt=True, tiers=("step_cache",)),
    "openai": Abilities(),
}
