"""What each family of pipelines can do beside painting after a prompt. A card may claim that, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inpaint_core.acceleration import ATTENTION, attention_word


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
    #: Its weights may have fewer bits, in these formats.
    quantisations: tuple[str, ...] = ()
    #: What makes it quicker without another picture: words of `Acceleration`.
    accelerations: tuple[str, ...] = ()
    #: Values of the option `class` whose autoencoder computes in float32, which `half-vae` changes.
    upcasting: tuple[str, ...] = ()

    def accelerations_of(self, kind: str | None, *, quantised: bool) -> tuple[str, ...]:
        """Those of a card whose option `class` is `kind`."""
        left_out = {
            "fuse-qkv": quantised,  # weights that are read in fewer bits cannot be put side by side
            "half-vae": kind not in self.upcasting,
        }
        return tuple(word for word in self.accelerations if not left_out.get(word))


_COMPILED = ("compile", "compile-whole")
#: A graph is made for each shape of what a step sees. That must be few: not where every prompt has another length.
_GRAPHS = (*_COMPILED, "cuda-graphs")
_KERNELS = tuple(attention_word(name) for name in ATTENTION)
#: Those that take a mask: texts of different lengths are computed side by side.
_MASKED_KERNELS = tuple(attention_word(name) for name in ("native", "cudnn", "efficient"))

ABILITIES: Mapping[str, Abilities] = {
    "opencv": Abilities(),
    "stable-diffusion": Abilities(
        negative_prompt=True,
        guides={"reference": ("ip_adapter", "image_encoder"), "control": ("control",)},
        tiers=("guidance_until",),
        accelerations=(*_GRAPHS, "fuse-qkv", "channels-last", "half-vae"),
        upcasting=("StableDiffusionXLInpaintPipeline",),
    ),
    "sd3-controlnet": Abilities(
        negative_prompt=True,
        tiers=("step_cache", "guidance_until"),
        accelerations=(*_GRAPHS, "fuse-qkv", "channels-last"),
    ),
    "kandinsky": Abilities(
        negative_prompt=True,
        guides={"reference": ()},
        tiers=("guidance_until",),
        accelerations=("compile-whole", "cuda-graphs", "channels-last"),
    ),
    "flux-fill": Abilities(
        guides={"reference": ("redux",), "control": ("union",)},
        tiers=("step_cache",),
        quantisations=("nf4", "fp8"),
        accelerations=(*_GRAPHS, "fuse-qkv", "channels-last", *_KERNELS),
    ),
    "flux-controlnet": Abilities(
        negative_prompt=True,
        guides={"reference": ("ip_adapter", "image_encoder"), "control": ("union",)},
        tiers=("step_cache", "guidance_until"),
        quantisations=("fp8",),
        accelerations=(*_GRAPHS, "fuse-qkv", "channels-last", *_KERNELS),
    ),
    "flux-2-klein": Abilities(
        guides={"reference": ()},
        reference_strength=False,
        quantisations=("fp8",),
        accelerations=(*_COMPILED, "fuse-qkv", "channels-last", *_KERNELS),
    ),
    "z-image": Abilities(
        negative_prompt=True,
        guides={"control": ()},
        quantisations=("fp8",),
        # Not as a whole: its positions are computed in ways that torch cannot follow.
        accelerations=("compile", "channels-last", *_MASKED_KERNELS),
    ),
    "qwen-image": Abilities(
        negative_prompt=True,
        tiers=("step_cache", "guidance_until"),
        quantisations=("fp8",),
        accelerations=(*_COMPILED, *_MASKED_KERNELS),
    ),
    "openai": Abilities(),
}
