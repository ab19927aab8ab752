"""What makes a model quicker on this machine: the words of `INPAINT_ACCELERATE` or of its card, chosen and carried out.

Order matters. Projections are put side by side before anything is compiled, and what is compiled lies inside the hooks
that move an offloaded model to the GPU: a compiled network knows of no hooks.
"""

from __future__ import annotations

from typing import Any

from inpaint_core.acceleration import AUTO, Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.errors import SettingsInvalid
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings

from inpaint_worker.pipelines.acceleration_compiling import compile_network, no_compiler
from inpaint_worker.pipelines.acceleration_kernels import no_kernel
from inpaint_worker.pipelines.acceleration_layout import channels_last, halve, no_bfloat16
from inpaint_worker.pipelines.acceleration_projections import fuse_projections

#: What pipelines call the network that makes a step, and what encodes and decodes pictures.
_DENOISERS = ("transformer", "unet")
_AUTOENCODERS = ("vae", "movq")
log = get_logger("inpaint.worker")


def choose_acceleration(card: ModelCard, settings: Settings, *, device: str, offload: bool) -> Acceleration:
    """What `card` is made quicker by on `device` ("cpu" or "cuda").

    What was asked for by name and is not possible is refused: `SettingsInvalid` says why. What the card says is meant
    for machines on which it was measured; what this one cannot do is left out.
    """
    if settings.accelerate == AUTO:
        hindrances = _hindrances(card.accelerate, device=device, offload=offload)
        for word, reason in hindrances.items():
            log.warning("acceleration_left_out", model=card.name, word=word, reason=reason)
        return card.accelerate.without(hindrances)
    wanted = settings.accelerate
    if problem := wanted.problem(card.accelerations):
        raise SettingsInvalid(f"INPAINT_ACCELERATE is {wanted}, and {card.name} {problem}.", names=["accelerate"])
    for word, reason in _hindrances(wanted, device=device, offload=offload).items():
        raise SettingsInvalid(
            f"INPAINT_ACCELERATE is {wanted}, and {word} {reason}. Leave {word} out, or change that.",
            names=["accelerate"],
        )
    return wanted


def _hindrances(wanted: Acceleration, *, device: str, offload: bool) -> dict[str, str]:
    """Those of the words that are not possible here, and why."""
    found: dict[str, str | None] = {}
    if wanted.compiling is not None:
        found[wanted.compiling] = no_compiler(device)
    if wanted.compiling == "cuda-graphs":
        if device != "cuda":
            found["cuda-graphs"] = "is for NVIDIA GPUs, and the model runs on the CPU"
        elif offload:
            # A graph remembers where in memory the weights lie.
            found["cuda-graphs"] = (
                "needs the whole model on the GPU, where only the part is that works (INPAINT_OFFLOAD)"
            )
    if wanted.half_vae:
        found["half-vae"] = no_bfloat16(device)
    if wanted.attention is not None:
        found[f"attention={wanted.attention}"] = no_kernel(wanted.attention, device)
    return {word: reason for word, reason in found.items() if reason is not None}


def accelerate_pipeline(pipe: Any, acceleration: Acceleration, *, varying: bool) -> None:
    """Make quicker what `pipe` was assembled of: what a step calls, and its autoencoder."""
    networks = {name: getattr(pipe, name, None) for name in (*_DENOISERS, "controlnet")}
    for name, net in networks.items():
        if net is not None:
            accelerate_network(net, acceleration, denoiser=name in _DENOISERS, varying=varying)
    autoencoder = next(part for name in _AUTOENCODERS if (part := getattr(pipe, name, None)) is not None)
    if acceleration.channels_last:
        channels_last(autoencoder)
    if acceleration.half_vae:
        halve(autoencoder)


def accelerate_network(net: Any, acceleration: Acceleration, *, denoiser: bool = False, varying: bool = False) -> None:
    """Make a network quicker that is called in each step, and whose weights are all there.

    A ControlNet is compiled block by block, even where the denoiser is compiled as a whole: it takes its strength as a
    plain number, which would be compiled into it. `varying`: it sees token counts that do not come from the picture's
    shape alone.
    """
    if acceleration.fuse_qkv:
        fuse_projections(net)
    if acceleration.channels_last:
        channels_last(net)
    if acceleration.compiling is not None:
        compile_network(net, acceleration.compiling if denoiser else "compile", varying=varying)
