"""Tiny models of every family, loaded plainly or made quicker, and what one call of their networks computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

SD2, SDXL = "stable-diffusion-2-inpainting", "stable-diffusion-xl-1.0-inpainting-0.1"
WRITERS: dict[str, Callable[[Path], Path]] = {
    SD2: write_sd2,
    SDXL: write_sdxl,
    "sd3-controlnet-inpainting": write_sd3,
    "kandinsky-2-2-decoder-inpaint": write_kandinsky,
    "flux-1-fill-dev": write_flux_fill,
    "flux-1-dev-controlnet-inpainting-beta": write_flux_controlnet,
    "flux-2-klein-4b": write_flux2_klein,
    "z-image-turbo-inpainting": write_z_image,
    "qwen-image-inpainting": write_qwen_image,
}


def load_small(name: str, root: Path, accelerate: str = "none", **changes: Any) -> DiffusersPipeline:
    """The model `name` for small pictures, its weights from `root`."""
    settings = load_settings(device="cpu", weights_dir=root, accelerate=accelerate, **changes)
    pipeline = build_pipeline(small_card(name), settings)
    assert isinstance(pipeline, DiffusersPipeline)
    pipeline.load()
    return pipeline


def denoiser(pipeline: DiffusersPipeline) -> Any:
    """What makes a step."""
    return next(net for name in ("transformer", "unet") if (net := getattr(pipeline.pipe, name, None)) is not None)


def autoencoder(pipeline: DiffusersPipeline) -> Any:
    """What encodes and decodes pictures."""
    return pipeline.pipe.movq if hasattr(pipeline.pipe, "movq") else pipeline.pipe.vae


@contextmanager
def first_call(net: torch.nn.Module) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any], Any]]]:
    """While this lasts, the first call of `net` is noted: what it was given, and what it gave."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any], Any]] = []

    def note(_net: Any, args: tuple[Any, ...], told: dict[str, Any], given: Any) -> None:
        if not calls:
            calls.append((args, told, tensor(given).clone()))

    hook = net.register_forward_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def tensor(given: Any) -> torch.Tensor:
    """What a network predicts: its result, or the first of it."""
    while not isinstance(given, torch.Tensor):
        given = given[0]
    return given


def relative_error(found: torch.Tensor, exact: torch.Tensor) -> float:
    """How far they are apart, as a share of how large the exact one is (Frobenius norms)."""
    difference = torch.linalg.vector_norm(found.double() - exact.double())
    return float(difference / torch.linalg.vector_norm(exact.double()))
