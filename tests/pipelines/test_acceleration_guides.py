"""Guides that are read after a model was made quicker: they do what they do to a plain one, and leave no trace."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerated import SDXL, load_small
from contract import PipelineContract, make_pixels, paint
from inpaint_core.guides import ControlType
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines import acceleration_compiling as compiling
from inpaint_worker.pipelines.base import Control, Reference
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from tiny import flux, stable_diffusion

pytestmark = [
    # Torch's compiler, on being imported; diffusers, of its own use of itself.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a .functools.lru_cache:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning"),
]
FILL, BETA = "flux-1-fill-dev", "flux-1-dev-controlnet-inpainting-beta"
WRITERS: dict[str, tuple[Callable[[Path], Any], ...]] = {
    SDXL: (stable_diffusion.write_sdxl, stable_diffusion.write_ip_adapter, stable_diffusion.write_controlnet_union),
    FILL: (flux.write_flux_fill, flux.write_redux, flux.write_union),
    BETA: (flux.write_flux_controlnet, flux.write_ip_adapter, flux.write_union),
}


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Graphs are made, and run as they are."""
    monkeypatch.setattr(compiling, "_BACKEND", "eager")
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    yield
    torch.compiler.reset()


def edits(pipeline: DiffusersPipeline) -> dict[str, Edit]:
    """The same without a guide, with a reference image, with a control image, and with both."""
    steps = {"steps": 2, "prompt_tokens": 32}
    known = {key: value for key, value in steps.items() if key in pipeline.card.parameters}
    plain = replace(PipelineContract().edit(pipeline), parameters=pipeline.card.resolve(known))
    reference = Reference(make_pixels(60, 40, seed=3), 0.6)
    control = Control(make_pixels(seed=4), ControlType.CANNY, 0.7)
    return {
        "plain": plain,
        "reference": replace(plain, reference=reference),
        "control": replace(plain, control=control),
        "both": replace(plain, reference=reference, control=control),
    }


@pytest.mark.parametrize(
    "words", ["fuse-qkv,channels-last", "fuse-qkv,compile", pytest.param("compile-whole", marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("name", WRITERS)
def test_guides_do_what_they_do_to_a_plain_model(name: str, words: str, tmp_path: Path) -> None:
    for write in WRITERS[name]:
        write(tmp_path)
    plain, quicker = load_small(name, tmp_path), load_small(name, tmp_path, words)
    first = paint(quicker, edits(quicker)["plain"])
    pictures = {}
    for guide, edit in edits(plain).items():
        exact = paint(plain, edit)
        pictures[guide] = paint(quicker, edit)
        assert np.abs(pictures[guide].astype(int) - exact.astype(int)).max() <= 1, guide
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)
    assert np.array_equal(paint(quicker, edits(quicker)["plain"]), first)
