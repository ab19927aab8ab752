"""What pipelines must do whose cards take a negative prompt."""

from __future__ import annotations

import numpy as np
from contract import PipelineContract, paint
from inpaint_worker.pipelines.diffusers import DiffusersPipeline


class NegativePromptContract(PipelineContract):
    """The contract of all, and of negative prompts."""

    def test_it_heeds_a_negative_prompt(self, pipeline: DiffusersPipeline) -> None:
        without, with_one = self.edit(pipeline), self.edit(pipeline, negative_prompt="blurred letters")
        assert pipeline.card.negative_prompt
        assert not np.array_equal(paint(pipeline, without), paint(pipeline, with_one))

    def test_without_guidance_there_is_nothing_to_avoid(self, pipeline: DiffusersPipeline) -> None:
        free = {"parameters": {"guidance": 1}}
        painted = paint(pipeline, self.edit(pipeline, **free))
        assert painted.std() > 0
