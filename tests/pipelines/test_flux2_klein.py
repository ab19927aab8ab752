from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from contract import SIDE, PipelineContract, paint, small_card
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import Detail
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import load_settings
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.pipelines.flux2_klein import Flux2Klein
from tiny.flux2 import write_flux2_klein

NAME = "flux-2-klein-4b"


class TestFlux2Klein(PipelineContract):
    quick: ClassVar = {"prompt_tokens": 64}

    @pytest.fixture(scope="class")
    @classmethod
    def pipeline(cls, tmp_path_factory: pytest.TempPathFactory) -> Flux2Klein:
        root = tmp_path_factory.mktemp("klein")
        write_flux2_klein(root)
        return _loaded(root)

    def test_four_steps_are_enough(self, pipeline: Flux2Klein) -> None:
        assert pipeline.steps(self.edit(pipeline)) == 4

    def test_what_is_under_the_region_is_seen_even_at_full_strength(self, pipeline: Flux2Klein) -> None:
        edit = self.edit(pipeline)
        other = replace(edit, image=np.where(edit.region[..., None], 255 - edit.image, edit.image))
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, other))

    @pytest.mark.parametrize(("steps", "strength", "total"), [(4, 0.8, 4), (4, 0.5, 2), (4, 0.05, 1), (1, 0.05, 1)])
    def test_less_strength_takes_fewer_steps(
        self, pipeline: Flux2Klein, steps: int, strength: float, total: int
    ) -> None:
        told: list[tuple[int, int]] = []
        paint(pipeline, self.edit(pipeline, parameters={"steps": steps, "strength": strength}), told)
        assert told == [(done, total) for done in range(total + 1)]

    def test_only_as_much_of_a_prompt_is_read_as_asked(self, pipeline: Flux2Klein) -> None:
        long = "a red cup on a table " * 4
        short, whole = ({"prompt": long, "parameters": {"prompt_tokens": tokens}} for tokens in (32, 100))
        assert not np.array_equal(
            paint(pipeline, self.edit(pipeline, **short)), paint(pipeline, self.edit(pipeline, **whole))
        )


def test_no_shape_is_so_large_that_diffusers_would_shrink_it() -> None:
    size = load_catalogue()[NAME].size
    assert size.max_area is None
    assert max(width * height for width, height in shapes(size, Detail.FULL)) <= 1024 * 1024


@pytest.mark.parametrize("lost", ["transformer", "vae", "text_encoder"])
def test_a_folder_that_lacks_a_part_is_named(tmp_path: Path, lost: str) -> None:
    folder = write_flux2_klein(tmp_path)
    next((folder / lost).glob("*.safetensors")).unlink()
    with pytest.raises(WeightsMissing, match=f"inpaint models pull {NAME}"):
        _loaded(tmp_path)


def _loaded(root: Path) -> Flux2Klein:
    pipeline = build_pipeline(small_card(NAME, SIDE), load_settings(device="cpu", weights_dir=root))
    pipeline.load()
    assert isinstance(pipeline, Flux2Klein)
    return pipeline
