"""ControlNet Union on SDXL: one net that follows edges, lines, depths or joints.

https://github.com/xinsir6/ControlNetPlus. Diffusers' pipelines for it take U-Nets of four channels only, not the nine
of inpainting. What a ControlNet makes is added inside the U-Net, whatever that sees: here just before each of its
steps, as diffusers does it for simpler ControlNets (`StableDiffusionXLControlNetInpaintPipeline`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetUnionModel
from inpaint_core.guides import ControlType
from safetensors.torch import load_file

from inpaint_worker.pipelines.acceleration import accelerate_network
from inpaint_worker.pipelines.base import Control
from inpaint_worker.pipelines.runtime import Runtime

#: What its authors call the types: thick lines are 2, thin ones 3 (README, "ControlMode").
MODES = {
    ControlType.POSE: 0,
    ControlType.DEPTH: 1,
    ControlType.SOFT_EDGE: 2,
    ControlType.SKETCH: 2,
    ControlType.CANNY: 3,
    ControlType.LINES: 3,
}
_ENCODER = "controlnet_cond_embedding"


class UnionControlNet:
    """The net, beside a U-Net. An offloaded one is on the GPU only while it is used."""

    def __init__(self, net: Any, runtime: Runtime) -> None:
        self._net = net
        self._offloaded: Any = None
        if runtime.offload:
            from accelerate import cpu_offload_with_hook  # type: ignore[import-untyped]

            _, self._offloaded = cpu_offload_with_hook(net, runtime.device)

    @contextmanager
    def guiding(self, unet: Any, control: Control) -> Iterator[None]:
        """Each step of `unet` follows `control`. Outside, it is what it was."""
        image = torch.from_numpy(control.image.copy()).permute(2, 0, 1)[None].float() / 255
        mode = MODES[control.kind]

        def add(_unet: Any, args: tuple[Any, ...], told: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            sample, step = args
            batch = len(sample)
            kind = torch.zeros(batch, self._net.config.num_control_type, device=sample.device, dtype=sample.dtype)
            kind[:, mode] = 1
            down, middle = self._net(
                sample[:, : self._net.config.in_channels],  # without the mask and the masked picture
                step,
                encoder_hidden_states=told["encoder_hidden_states"],
                controlnet_cond=[image.to(sample.device, sample.dtype).expand(batch, -1, -1, -1)],
                control_type=kind,
                control_type_idx=[mode],
                conditioning_scale=float(control.strength),
                added_cond_kwargs=told["added_cond_kwargs"],
                return_dict=False,
            )
            told["down_block_additional_residuals"], told["mid_block_additional_residual"] = down, middle
            return args, told

        hook = unet.register_forward_pre_hook(add, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
            if self._offloaded is not None:
                self._offloaded.offload()


def read_controlnet_union(file: Path, unet: Any, runtime: Runtime) -> UnionControlNet:
    """The net in `file`, for a model with `unet`.

    Raises `ValueError` for a file that holds another net, OSError or `SafetensorError` for one that cannot be read.
    """
    tensors = load_file(file, device="cpu" if runtime.offload else runtime.device)
    with torch.device("meta"):
        net = ControlNetUnionModel(**configuration(tensors, unet.config))
    try:
        net.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{file.name}: {' '.join(str(error).split())[:200]}") from error
    net = net.to(runtime.dtype).eval()
    accelerate_network(net, runtime.acceleration)
    return UnionControlNet(net, runtime)


def configuration(tensors: dict[str, torch.Tensor], unet: dict[str, Any]) -> dict[str, Any]:
    """How `ControlNetUnionModel` is built to hold `tensors`: like half of the U-Net that is configured as `unet`.

    What it has more, the shapes say. The repository has two such files, and the `config.json` of one of them.
    """
    known = inspect.signature(ControlNetUnionModel.__init__).parameters
    alike = {name: value for name, value in unet.items() if name in known}
    try:
        types, width = tensors["task_embedding"].shape
        return {
            **alike,
            "in_channels": tensors["conv_in.weight"].shape[1],
            "conditioning_channels": tensors[f"{_ENCODER}.conv_in.weight"].shape[1],
            "conditioning_embedding_out_channels": _widths(tensors),
            "num_control_type": types,
            "num_trans_channel": width,
            "num_trans_layer": len({name.split(".")[1] for name in tensors if name.startswith("transformer_layes.")}),
            "num_proj_channel": tensors["spatial_ch_projs.weight"].shape[0],
        }
    except KeyError as error:
        raise ValueError(f"it holds no {error}") from error


def _widths(tensors: dict[str, torch.Tensor]) -> tuple[int, ...]:
    """Of the encoder of control images: its blocks come in pairs, the second of which widens."""
    blocks = len({name.split(".")[2] for name in tensors if name.startswith(f"{_ENCODER}.blocks.")})
    wider = [tensors[f"{_ENCODER}.blocks.{number}.weight"].shape[0] for number in range(1, blocks, 2)]
    return (tensors[f"{_ENCODER}.conv_in.weight"].shape[0], *wider)
