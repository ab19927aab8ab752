"""What pipelines must do whose cards take reference or control images.

A family's test subclasses one of these, with fixtures `root` (a folder with the weights of the guide, too) and
`pipeline`, loaded from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from contract import SIDE, PipelineContract, Stopped, make_pixels, paint
from inpaint_core.guides import ControlType
from inpaint_core.job import ParameterValue
from inpaint_core.settings import load_settings
from inpaint_worker.pipelines import Edit, build_pipeline
from inpaint_worker.pipelines import diffusers as family
from inpaint_worker.pipelines.base import Control, Reference
from inpaint_worker.pipelines.diffusers import DiffusersPipeline
from inpaint_worker.pipelines.runtime import Runtime


class GuideContract:
    """Run for every guide of a family."""

    quick: ClassVar[Mapping[str, ParameterValue]] = {"steps": 3}
    edit = PipelineContract.edit

    def guided(self, pipeline: DiffusersPipeline, edit: Edit, seed: int = 5, strength: float | None = None) -> Edit:
        """`edit` with an image; at the strength of the card, if none is given."""
        raise NotImplementedError

    def default(self, pipeline: DiffusersPipeline) -> float | None:
        """The strength that the card says."""
        raise NotImplementedError

    def test_it_heeds_the_image(self, pipeline: DiffusersPipeline) -> None:
        edit = self.edit(pipeline)
        one, other = (paint(pipeline, self.guided(pipeline, edit, seed=seed)) for seed in (5, 6))
        assert not np.array_equal(one, other)
        assert np.array_equal(one, paint(pipeline, self.guided(pipeline, edit, seed=5)))

    def test_it_heeds_the_strength(self, pipeline: DiffusersPipeline) -> None:
        if self.default(pipeline) is None:
            pytest.skip("it has none")
        edit = self.edit(pipeline)
        weak, strong = (paint(pipeline, self.guided(pipeline, edit, strength=strength)) for strength in (0.3, 0.9))
        assert not np.array_equal(weak, strong)

    def test_a_strength_of_zero_is_no_image(self, pipeline: DiffusersPipeline) -> None:
        if self.default(pipeline) is None:
            pytest.skip("it has none")
        edit = self.edit(pipeline)
        assert np.array_equal(paint(pipeline, edit), paint(pipeline, self.guided(pipeline, edit, strength=0.0)))

    def test_the_prompt_and_the_negative_prompt_still_count(self, pipeline: DiffusersPipeline) -> None:
        edit = self.guided(pipeline, self.edit(pipeline))
        painted = paint(pipeline, edit)
        assert not np.array_equal(painted, paint(pipeline, replace(edit, prompt="a blue bird on a wire")))
        if pipeline.card.negative_prompt:
            assert not np.array_equal(painted, paint(pipeline, replace(edit, negative_prompt="blurred letters")))

    def test_steps_are_told_up_to_the_last(self, pipeline: DiffusersPipeline) -> None:
        edit = self.guided(pipeline, self.edit(pipeline))
        told: list[tuple[int, int]] = []
        paint(pipeline, edit)  # the first of them also tells that its weights are read
        paint(pipeline, edit, told)
        total = pipeline.steps(edit)
        assert told == [(done, total) for done in range(total + 1)]

    @pytest.mark.parametrize("step", [0, 1, 2])
    def test_stopped_between_two_steps_it_leaves_no_trace(self, pipeline: DiffusersPipeline, step: int) -> None:
        plain = self.edit(pipeline)
        guided = self.guided(pipeline, plain)
        clean = paint(pipeline, plain), paint(pipeline, guided)

        def stop(done: int, _total: int) -> None:
            if done == step:
                raise Stopped

        with pytest.raises(Stopped):
            pipeline.run(self.guided(pipeline, replace(plain, seed=7), seed=9), stop)
        assert np.array_equal(paint(pipeline, plain), clean[0])
        assert np.array_equal(paint(pipeline, guided), clean[1])

    @pytest.mark.parametrize("shape", [(SIDE * 2, SIDE // 2), (SIDE // 2, SIDE * 2)])
    def test_wide_and_tall_pictures_are_painted(self, pipeline: DiffusersPipeline, shape: tuple[int, int]) -> None:
        edit = self.guided(pipeline, self.edit(pipeline, shape=shape))
        assert paint(pipeline, edit).shape == (shape[1], shape[0], 3)

    # Diffusers calls it itself, for SDXL's VAE.
    @pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")
    def test_half_precision_paints_nearly_the_same_picture(
        self, pipeline: DiffusersPipeline, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held = Runtime("cpu", getattr(torch, pipeline.card.dtype or ""), offload=False)
        monkeypatch.setattr(family, "choose_runtime", lambda _card, _settings: held)
        half = build_pipeline(pipeline.card, load_settings(device="cpu", weights_dir=root))
        assert isinstance(half, DiffusersPipeline)
        half.load()
        edit = self.guided(half, self.edit(half))
        painted, exact = paint(half, edit), paint(pipeline, edit)
        assert 0 < np.abs(painted.astype(int) - exact.astype(int)).mean() < 2

    def test_memory_can_be_saved(self, pipeline: DiffusersPipeline) -> None:
        edit = self.guided(pipeline, self.edit(pipeline))
        clean = paint(pipeline, edit)
        assert paint(pipeline, replace(edit, save_memory=True)).shape == clean.shape
        assert np.array_equal(paint(pipeline, edit), clean)


class ReferenceContract(GuideContract):
    """Of reference images."""

    def default(self, pipeline: DiffusersPipeline) -> float | None:
        assert pipeline.card.reference is not None
        return pipeline.card.reference.strength

    def guided(self, pipeline: DiffusersPipeline, edit: Edit, seed: int = 5, strength: float | None = None) -> Edit:
        strength = self.default(pipeline) if strength is None else strength
        return replace(edit, reference=Reference(make_pixels(60, 40, seed=seed), strength))

    @pytest.mark.parametrize("size", [(40, 60), (48, 48), (5, 300), (1, 1)])
    def test_a_reference_has_any_size(self, pipeline: DiffusersPipeline, size: tuple[int, int]) -> None:
        reference = Reference(make_pixels(*size), self.default(pipeline))
        edit = self.edit(pipeline)
        painted = paint(pipeline, replace(edit, reference=reference))
        assert not np.array_equal(painted, paint(pipeline, edit))

    def test_all_of_a_wide_reference_is_seen(self, pipeline: DiffusersPipeline) -> None:
        image = make_pixels(96, 32)
        other = image.copy()
        other[:, :8] = 255 - other[:, :8]
        edit, strength = self.edit(pipeline), self.default(pipeline)
        one, two = (paint(pipeline, replace(edit, reference=Reference(each, strength))) for each in (image, other))
        assert not np.array_equal(one, two)


class ControlContract(GuideContract):
    """Of control images."""

    def default(self, pipeline: DiffusersPipeline) -> float | None:
        assert pipeline.card.control is not None
        return pipeline.card.control.strength

    def guided(
        self,
        pipeline: DiffusersPipeline,
        edit: Edit,
        seed: int = 5,
        strength: float | None = None,
        kind: ControlType = ControlType.CANNY,
    ) -> Edit:
        height, width = edit.image.shape[:2]
        strength = self.default(pipeline) if strength is None else strength
        assert strength is not None
        return replace(edit, control=Control(make_pixels(width, height, seed=seed), kind, strength))

    def test_every_type_of_the_card_is_taken(self, pipeline: DiffusersPipeline) -> None:
        assert pipeline.card.control is not None
        edit = self.edit(pipeline)
        for kind in pipeline.card.control.types:
            assert paint(pipeline, self.guided(pipeline, edit, kind=kind)).std() > 0
