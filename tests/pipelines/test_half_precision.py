"""16 bits a number, as on a GPU, but on the CPU: every part takes what the part before it gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import PipelineContract, paint, small_card
from inpaint_core.settings import load_settings
from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines import diffusers as family
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.runtime import Runtime
from tiny.flux2 import write_flux2_klein
from tiny.kandinsky import write_kandinsky
from tiny.qwen_image import write_qwen_image
from tiny.sd3 import write_sd3
from tiny.stable_diffusion import write_sd2, write_sdxl
from tiny.z_image import write_z_image

MODELS: dict[str, Callable[[Path], Path]] = {
    "stable-diffusion-2-inpainting": write_sd2,
    "stable-diffusion-xl-1.0-inpainting-0.1": write_sdxl,
    "sd3-controlnet-inpainting": write_sd3,
    "kandinsky-2-2-decoder-inpaint": write_kandinsky,
    "flux-2-klein-4b": write_flux2_klein,
    "z-image-turbo-inpainting": write_z_image,
    "qwen-image-inpainting": write_qwen_image,
}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
# Diffusers calls it itself, for SDXL's VAE.
@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", MODELS)
def test_half_precision_paints_nearly_the_same_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MODELS[name](tmp_path)
    kind = getattr(torch, small_card(name).dtype or "")
    assert kind.itemsize == 2
    single, half = (_loaded(name, dtype, tmp_path, monkeypatch) for dtype in (torch.float32, kind))
    parts = [part for part in half.pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert {part.dtype for part in parts} == {kind}
    edit = PipelineContract().edit(half, negative_prompt="blurred")
    painted, once_more, exact = paint(half, edit), paint(half, edit), paint(single, edit)
    assert np.array_equal(painted, once_more)
    assert _distance(painted, exact) < 2


def _loaded(name: str, dtype: torch.dtype, root: Path, monkeypatch: pytest.MonkeyPatch) -> DiffusersPipeline:
    held = Runtime("cpu", dtype, offload=False)
    monkeypatch.setattr(family, "choose_runtime", lambda _card, _settings: held)
    pipeline = build_pipeline(small_card(name), load_settings(device="cpu", weights_dir=root))
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline


def _distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())
