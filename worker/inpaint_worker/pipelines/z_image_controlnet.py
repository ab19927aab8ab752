"""Alibaba-pai's ControlNet of Z-Image: one file, published without a configuration; and what it is shown.

Diffusers' `from_single_file` would fetch the configuration from somebody else's repository. The shapes in the file tell
all but where its blocks join the transformer's: those are spread evenly, every second of 30 in version 2.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import ZImageControlNetModel
from safetensors.torch import load_file

#: Patches of 2 x 2 latents.
_PATCH = 4
_EMBEDDER = "control_all_x_embedder.2-1.weight"
_KEY_NORM = "control_layers.0.attention.norm_k.weight"
_KEYS = "control_layers.0.attention.to_k.weight"
#: Version 2.1 brought it; 2.0 holds it, but all zero.
_FROM_2_1 = "control_noise_refiner.0.before_proj.weight"


class ControlLatents:
    """A hook before the ControlNet: how much of the control image it sees.

    The net's own scale counts for the mask and the masked picture, too, which it sees in the same pass: how strongly
    the control image binds is set by its latents, which are multiplied by `strength`. 1 is what the net was trained
    with, and 0 is no control image: its authors put zeros there if there is none (`control_latents =
    torch.zeros_like(inpaint_latent)`, https://github.com/aigc-apps/VideoX-Fun,
    videox_fun/pipeline/pipeline_z_image_control.py). No picture is encoded as zeros, not even a grey one.
    """

    strength = 0.0

    def __call__(self, _net: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """`args` with as many channels of the conditioning changed as there are of the masked picture: the first."""
        latents, timestep, prompt, conditioning = args
        if self.strength == 1:
            return args
        conditioning = conditioning.clone()
        control = conditioning[:, : (conditioning.shape[1] - 1) // 2]
        if self.strength:
            control *= self.strength
        else:
            control.zero_()  # multiplied by 0, it could keep signs, or what is not a number
        return latents, timestep, prompt, conditioning


def read_z_image_controlnet(file: Path, transformer_layers: int, dtype: torch.dtype) -> Any:
    """The ControlNet of version 2.1 or later in `file`, for a transformer with so many layers.

    Raises `ValueError` for a file that holds another net, OSError or `SafetensorError` for one that cannot be read.
    """
    tensors = load_file(file)
    if _FROM_2_1 not in tensors or not tensors[_FROM_2_1].any():
        raise ValueError(f"{file.name} is no ControlNet of Z-Image of version 2.1, the first that can be used here")
    with torch.device("meta"):
        net = ZImageControlNetModel(**configuration(tensors, transformer_layers))
    try:
        net.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{file.name}: {' '.join(str(error).split())}") from error
    return net.to(dtype).eval()


def configuration(tensors: dict[str, torch.Tensor], transformer_layers: int) -> dict[str, Any]:
    """How `ZImageControlNetModel` is built to hold `tensors`."""
    try:
        width, seen = tensors[_EMBEDDER].shape
        head = tensors[_KEY_NORM].shape[0]
        keys = tensors[_KEYS].shape[0]
    except KeyError as error:
        raise ValueError(f"it holds no {error}") from error
    layers, refiners = _blocks(tensors, "control_layers"), _blocks(tensors, "control_noise_refiner")
    return {
        "control_layers_places": list(range(0, transformer_layers, max(1, transformer_layers // layers)))[:layers],
        "control_refiner_layers_places": list(range(refiners)),
        "control_in_dim": seen // _PATCH,
        "add_control_noise_refiner": "control_noise_refiner",
        "dim": width,
        "n_refiner_layers": refiners,
        "n_heads": width // head,
        "n_kv_heads": keys // head,
    }


def _blocks(tensors: dict[str, torch.Tensor], name: str) -> int:
    return len({key.split(".")[1] for key in tensors if key.startswith(f"{name}.")})
