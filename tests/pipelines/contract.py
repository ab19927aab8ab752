"""What every diffusers pipeline must do. A family's test subclasses it, with a fixture `pipeline` of class scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from factories import make_image
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import Detail
from inpaint_core.job import ParameterValue
from inpaint_core.size import SizeRule
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.buckets import shapes
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.savers import Savers

SIDE = 128


def small_card(name: str, side: int = SIDE, **changes: Any) -> ModelCard:
    """A card of the catalogue that paints small pictures, for a CPU."""
    card = load_catalogue()[name]
    size = SizeRule(multiple_of=card.size.multiple_of, native_area=side * side)
    return card.model_copy(update={"size": size, **changes})


def make_pixels(width: int = SIDE, height: int = SIDE, seed: int = 0) -> Pixels:
    """A picture, H x W x 3."""
    return np.asarray(make_image(width, height, seed=seed), np.uint8)


def make_region(width: int = SIDE, height: int = SIDE) -> Region:
    """The middle of the picture."""
    region = np.zeros((height, width), np.bool_)
    region[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    return region


def paint(pipeline: DiffusersPipeline, edit: Edit, told: list[tuple[int, int]] | None = None) -> Pixels:
    """Run it after somebody else has used torch's global noise."""
    torch.manual_seed(int(np.random.default_rng().integers(1 << 30)))
    return pipeline.run(edit, lambda done, total: None if told is None else told.append((done, total)))


class Stopped(Exception):
    """The job was canceled."""


class PipelineContract:
    """Run for every family."""

    #: Few steps and short prompts.
    quick: ClassVar[dict[str, ParameterValue]] = {"steps": 3}

    def edit(self, pipeline: DiffusersPipeline, **changes: Any) -> Edit:
        """A valid edit; `changes` are fields of it."""
        width, height = changes.pop("shape", (SIDE, SIDE))
        fields: dict[str, Any] = {
            "image": make_pixels(width, height),
            "region": make_region(width, height),
            "seed": 1,
            "prompt": "a red cup",
            "parameters": pipeline.card.resolve({**self.quick, **changes.pop("parameters", {})}),
        }
        return Edit(**{**fields, **changes})

    def test_it_is_loaded_from_a_folder_and_warmed(self, pipeline: DiffusersPipeline) -> None:
        pipeline.warm()

    def test_a_picture_comes_back_as_large_as_it_was(self, pipeline: DiffusersPipeline) -> None:
        painted = paint(pipeline, self.edit(pipeline))
        assert painted.shape == (SIDE, SIDE, 3) and painted.dtype == np.uint8
        assert painted.std() > 0

    def test_wide_and_tall_pictures_are_painted(self, pipeline: DiffusersPipeline) -> None:
        known = shapes(pipeline.card.size, Detail.NATIVE)
        for width, height in (min(known, key=_aspect), max(known, key=_aspect)):
            assert width != height
            painted = paint(pipeline, self.edit(pipeline, shape=(width, height)))
            assert painted.shape == (height, width, 3)

    def test_steps_are_told_up_to_the_last(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        told: list[tuple[int, int]] = []
        paint(pipeline, edit, told)
        total = pipeline.steps(edit)
        assert told == [(done, total) for done in range(total + 1)]

    def test_the_same_seed_gives_the_same_bytes(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, edit))

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"seed": 2}, id="seed"),
            pytest.param({"prompt": "a blue bird on a wire"}, id="prompt"),
            pytest.param({"parameters": {"guidance": 2}}, id="guidance"),
            pytest.param({"parameters": {"steps": 5}}, id="steps"),
        ],
    )
    def test_it_heeds(self, pipeline: DiffusersPipeline, changes: dict[str, Any]) -> None:
        if not changes.get("parameters", {}).keys() <= pipeline.card.parameters.keys():
            pytest.skip("its card has no such parameter")
        assert not np.array_equal(paint(pipeline, self.edit(pipeline)), paint(pipeline, self.edit(pipeline, **changes)))

    def test_it_sees_what_surrounds_the_region(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        elsewhere = np.where(edit.region[..., None], edit.image, 255 - edit.image)
        painted, other = paint(pipeline, edit), paint(pipeline, replace(edit, image=elsewhere))
        assert not np.array_equal(painted[edit.region], other[edit.region])

    def test_it_sees_where_the_region_is(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        region = np.zeros_like(edit.region)
        region[: SIDE // 2, : SIDE // 4] = True
        assert not np.array_equal(paint(pipeline, edit), paint(pipeline, replace(edit, region=region)))

    def test_an_exception_from_a_step_passes_and_leaves_no_trace(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        clean = paint(pipeline, edit)

        def stop(done: int, total: int) -> None:
            if done == 1:
                raise Stopped

        with pytest.raises(Stopped):
            pipeline.run(replace(edit, seed=7, prompt="another"), stop)
        assert np.array_equal(paint(pipeline, edit), clean)

    def test_memory_savers_change_nothing_for_the_next(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        clean = paint(pipeline, edit)
        assert paint(pipeline, replace(edit, save_memory=True)).shape == clean.shape
        assert np.array_equal(paint(pipeline, edit), clean)

    def test_memory_is_saved_by_tiles_that_are_smaller_than_the_picture(self, pipeline: DiffusersPipeline) -> None:
        vae = getattr(pipeline.pipe, "vae", None)
        if not hasattr(vae, "tile_latent_min_size"):
            pytest.skip("its autoencoder has other tiles")
        before = vae.tile_sample_min_size, vae.tile_latent_min_size
        vae.tile_sample_min_size, vae.tile_latent_min_size = 1024, 128  # as those of published models have it
        try:
            with Savers(pipeline.pipe, True):
                assert vae.use_tiling and (vae.tile_sample_min_size, vae.tile_latent_min_size) == (512, 64)
            assert not vae.use_tiling and (vae.tile_sample_min_size, vae.tile_latent_min_size) == (1024, 128)
        finally:
            vae.tile_sample_min_size, vae.tile_latent_min_size = before

    def test_a_remembered_prompt_is_as_good_as_a_fresh_one(
        self, pipeline: DiffusersPipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not hasattr(type(pipeline.pipe), "encode_prompt"):
            pytest.skip("its prompts are not remembered")
        edit = self.edit(pipeline)
        paint(pipeline, edit)
        remembered = paint(pipeline, edit)
        fresh = type(pipeline.pipe).encode_prompt.__get__(pipeline.pipe)
        monkeypatch.setattr(pipeline.pipe, "encode_prompt", fresh)
        assert np.array_equal(paint(pipeline, edit), remembered)


def _aspect(shape: tuple[int, int]) -> float:
    return shape[0] / shape[1]
