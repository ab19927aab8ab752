from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, paint, small_card
from diffusers import ZImageControlNetModel
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.runtime import Runtime
from inpaint_worker.pipelines.z_image import ZImage
from inpaint_worker.pipelines.z_image_controlnet import configuration
from negative import NegativePromptContract
from safetensors.torch import load_file, save_file
from tiny.z_image import CONTROLNET, CONTROLNET_FILE, write_z_image

NAME = "z-image-turbo-inpainting"
#: Of version 2.1, as VideoX-Fun configures it.
PUBLISHED = {
    "control_layers_places": list(range(0, 30, 2)),
    "control_refiner_layers_places": [0, 1],
    "control_in_dim": 33,
    "add_control_noise_refiner": "control_noise_refiner",
    "dim": 3840,
    "n_refiner_layers": 2,
    "n_heads": 30,
    "n_kv_heads": 30,
}
PUBLISHED_BYTES = 6_712_485_600
Tensors = dict[str, torch.Tensor]


class TestZImage(NegativePromptContract):
    quick: ClassVar = {"steps": 3, "prompt_tokens": 64, "guidance": 1}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> ZImage:
        return _loaded(write_z_image(tmp_path_factory.mktemp("z-image")))

    def test_a_negative_prompt_is_not_read_unless_there_is_guidance(self, pipeline: ZImage) -> None:
        free = self.edit(pipeline, parameters={"guidance": 0})
        assert np.array_equal(paint(pipeline, free), paint(pipeline, replace(free, negative_prompt="letters")))

    def test_what_is_under_the_region_is_not_seen(self, pipeline: ZImage) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    def test_without_its_controlnet_it_sees_no_surroundings(self, pipeline: ZImage) -> None:
        blind = self.edit(pipeline, parameters={"control_scale": 0})
        elsewhere = replace(blind, image=255 - blind.image)
        assert np.array_equal(paint(pipeline, blind), paint(pipeline, elsewhere))
        assert not np.array_equal(paint(pipeline, blind), paint(pipeline, self.edit(pipeline)))

    def test_no_control_image_is_zeros(self, pipeline: ZImage) -> None:
        seen: list[torch.Tensor] = []
        net = pipeline.pipe.controlnet
        hook = net.register_forward_pre_hook(lambda _net, args: seen.append(args[3]))
        paint(pipeline, self.edit(pipeline, parameters={"guidance": 0}))
        hook.remove()
        control, keep, masked = seen[0].split([16, 1, 16], dim=1)
        assert not control.any() and masked.any()
        assert keep[0, 0, 0, 0, 0] == 1 and keep[0, 0, 0, SIDE // 16, SIDE // 16] == 0

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: ZImage) -> None:
        long = "a red cup on a table " * 6
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (32, 100))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )

    def test_what_moves_by_turns_shares_nothing_and_paints_the_same(self, pipeline: ZImage) -> None:
        edit = self.edit(pipeline)
        painted, whole = paint(pipeline, edit), pipeline.pipe
        assert _shared(whole.controlnet, whole.transformer)
        turns = pipeline.assemble(Runtime("cpu", torch.float32, offload=True))
        assert not _shared(turns.controlnet, turns.transformer)
        turns.set_progress_bar_config(disable=True)
        turns.enable_model_cpu_offload(device="cpu")
        try:
            pipeline.pipe = turns
            assert np.array_equal(paint(pipeline, edit), painted)
        finally:
            pipeline.pipe = whole


def _shared(one: torch.nn.Module, other: torch.nn.Module) -> set[int]:
    return {id(parameter) for parameter in one.parameters()} & {id(parameter) for parameter in other.parameters()}


def test_the_shapes_of_the_published_controlnet_tell_how_it_is_built() -> None:
    with torch.device("meta"):
        tensors = ZImageControlNetModel(**PUBLISHED).state_dict()
    assert configuration(tensors, 30) == PUBLISHED
    header = PUBLISHED_BYTES - sum(2 * tensor.numel() for tensor in tensors.values())
    assert 0 < header < 200 * len(tensors)  # names, shapes and places of the tensors in the file: nothing is left over


def _older(tensors: Tensors) -> None:
    tensors["control_noise_refiner.0.before_proj.weight"].zero_()


def _oldest(tensors: Tensors) -> None:
    for name in [name for name in tensors if name.startswith("control_noise_refiner")]:
        del tensors[name]


def _incomplete(tensors: Tensors) -> None:
    del tensors["control_layers.1.after_proj.weight"]


def _too_much(tensors: Tensors) -> None:
    tensors["something.else"] = torch.zeros(1)


@pytest.mark.parametrize("change", [_older, _oldest, _incomplete, _too_much])
def test_another_controlnet_is_refused(tmp_path: Path, change: Callable[[Tensors], Any]) -> None:
    file = write_z_image(tmp_path) / CONTROLNET / CONTROLNET_FILE
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(WeightsMissing, match=f"{CONTROLNET_FILE}.*inpaint models pull {NAME}"):
        _loaded(tmp_path)


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_a_controlnet_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = write_z_image(tmp_path) / CONTROLNET / CONTROLNET_FILE
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WeightsMissing, match=f"{CONTROLNET}.*inpaint models pull {NAME}"):
        _loaded(tmp_path)


def test_a_base_without_its_transformer_is_named(tmp_path: Path) -> None:
    (write_z_image(tmp_path) / "Tongyi-MAI/Z-Image-Turbo/transformer/config.json").unlink()
    with pytest.raises(WeightsMissing, match=f"Z-Image-Turbo.*inpaint models pull {NAME}"):
        _loaded(tmp_path)


def _loaded(root: Path) -> ZImage:
    pipeline = build_pipeline(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    assert isinstance(pipeline, ZImage)
    return pipeline
