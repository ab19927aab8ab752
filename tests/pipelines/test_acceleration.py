"""INPAINT_COMPILE: what is compiled in each model. Compiling itself, a minute, waits for the first picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from contract import small_card
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiny.flux import write_flux_controlnet, write_flux_fill
from tiny.flux2 import write_flux2_klein
from tiny.kandinsky import write_kandinsky
from tiny.qwen_image import write_qwen_image
from tiny.sd3 import write_sd3
from tiny.stable_diffusion import write_sd2, write_sdxl
from tiny.z_image import write_z_image

#: How many modules of which parts.
MODELS: dict[str, tuple[Callable[[Path], Path], dict[str, int]]] = {
    "stable-diffusion-2-inpainting": (write_sd2, {"unet": 4}),
    "stable-diffusion-xl-1.0-inpainting-0.1": (write_sdxl, {"unet": 8}),
    "sd3-controlnet-inpainting": (write_sd3, {"transformer": 2, "controlnet": 2}),
    "kandinsky-2-2-decoder-inpaint": (write_kandinsky, {"unet": 1}),
    "flux-1-fill-dev": (write_flux_fill, {"transformer": 2}),
    "flux-1-dev-controlnet-inpainting-beta": (write_flux_controlnet, {"transformer": 2, "controlnet": 1}),
    "flux-2-klein-4b": (write_flux2_klein, {"transformer": 2}),
    "z-image-turbo-inpainting": (write_z_image, {"transformer": 8, "controlnet": 8}),
    "qwen-image-inpainting": (write_qwen_image, {"transformer": 2, "controlnet": 1}),
}


# Torch's compiler, on being imported; diffusers, of its own use of itself.
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning", "ignore:`FluxPosEmbed`:FutureWarning")
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_what_repeats_is_compiled_if_wished(name: str, compiled: bool, tmp_path: Path) -> None:
    write, parts = MODELS[name]
    write(tmp_path)
    pipeline = build_pipeline(small_card(name), load_settings(device="cpu", weights_dir=tmp_path, compile=compiled))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    for part, count in parts.items():
        assert _compiled(getattr(pipeline.pipe, part)) == (count if compiled else 0)


def _compiled(part: torch.nn.Module) -> int:
    return sum(module._compiled_call_impl is not None for module in part.modules())
