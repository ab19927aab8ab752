"""Guides of FLUX whose weights are not there, or are others'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract import PipelineContract, paint
from inpaint_core.errors import WeightsMissing
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from safetensors.torch import load_file, save_file
from test_flux_guides import BETA, FILL, control, loaded, reference
from tiny.flux import (
    CLIP,
    IP_ADAPTER,
    REDUX,
    UNION,
    write_flux_controlnet,
    write_flux_fill,
    write_ip_adapter,
    write_union,
)

# diffusers warns of its own import.
pytestmark = pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")


@pytest.mark.parametrize(
    ("name", "write", "lacks"),
    [
        (FILL, write_flux_fill, {"reference": REDUX, "control": UNION}),
        (BETA, write_flux_controlnet, {"reference": f"{IP_ADAPTER}|{CLIP}", "control": UNION}),
    ],
)
def test_without_the_weights_of_guides_other_edits_are_made(
    name: str, write: Any, lacks: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path)
    pipeline = loaded(name, tmp_path)
    plain = replace(
        PipelineContract().edit(pipeline), parameters=pipeline.card.resolve({"steps": 1, "prompt_tokens": 32})
    )
    before = paint(pipeline, plain)
    guides: list[dict[str, Any]] = [{"reference": reference()}, {"control": control()}]
    for guide in guides:
        (kind,) = guide
        with pytest.raises(WeightsMissing, match=f"({lacks[kind]}).*inpaint models pull {name}"):
            paint(pipeline, replace(plain, **guide))
    assert np.array_equal(paint(pipeline, plain), before)


class TestUnusableGuides:
    """A folder that holds something else is named, and edits without guides go on as before."""

    @pytest.fixture
    @staticmethod
    def pipeline(tmp_path: Path) -> DiffusersPipeline:
        for write in (write_flux_controlnet, write_ip_adapter, write_union):
            write(tmp_path)
        return loaded(BETA, tmp_path)

    def test_a_control_net_that_has_to_be_told_the_type(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        write_union(tmp_path, modes=7)
        self._refused(pipeline, "it has to be told the type of each image", control=control())

    def test_a_control_net_with_gaps(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        _without(tmp_path / UNION / "diffusion_pytorch_model.safetensors", "context_embedder.bias")
        self._refused(pipeline, "1 of its weights differ, such as context_embedder.bias", control=control())

    def test_a_control_net_with_other_blocks(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        write_union(tmp_path, layers=2)
        self._refused(pipeline, r"block by block.*\(1, 0\) double and single.*\(2, 0\)", control=control())

    @pytest.mark.parametrize(
        "lost",
        [
            "double_blocks.0.processor.ip_adapter_double_stream_v_proj.weight",
            "ip_adapter_proj_model.norm.weight",
        ],
    )
    def test_an_ip_adapter_with_gaps(self, pipeline: DiffusersPipeline, tmp_path: Path, lost: str) -> None:
        _without(tmp_path / IP_ADAPTER / "ip_adapter.safetensors", lost)
        self._refused(pipeline, f"an IP-Adapter for FLUX.1, and {IP_ADAPTER} is none: it lacks", reference=reference())

    def test_no_ip_adapter_at_all(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        (tmp_path / IP_ADAPTER / "ip_adapter.safetensors").unlink()
        self._refused(pipeline, "inpaint models pull", reference=reference())

    def test_clip_with_gaps(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        _without(tmp_path / CLIP / "model.safetensors", "visual_projection.weight")
        self._refused(pipeline, "1 of its weights are missing, such as visual_projection", reference=reference())

    def test_pickled_clip_is_not_read(self, pipeline: DiffusersPipeline, tmp_path: Path) -> None:
        (tmp_path / CLIP / "model.safetensors").rename(tmp_path / CLIP / "pytorch_model.bin")
        self._refused(pipeline, "inpaint models pull", reference=reference())

    def _refused(self, pipeline: DiffusersPipeline, why: str, **guide: Any) -> None:
        plain = replace(
            PipelineContract().edit(pipeline), parameters=pipeline.card.resolve({"steps": 1, "prompt_tokens": 32})
        )
        before = paint(pipeline, plain)
        for _ in range(2):
            with pytest.raises(WeightsMissing, match=why):
                paint(pipeline, replace(plain, **guide))
        # Moved between devices, such a tensor would end plain edits as well.
        assert not any(parameter.is_meta for parameter in pipeline.pipe.transformer.parameters())
        assert pipeline.pipe.image_encoder is None and pipeline.pipe.union is None
        assert np.array_equal(paint(pipeline, plain), before)


def _without(file: Path, key: str) -> None:
    weights = load_file(file)
    del weights[key]
    save_file(weights, file, metadata={"format": "pt"})
