"""Pipelines that draw the masked picture's encoding from torch's global generator, made repeatable."""

from __future__ import annotations

from typing import Any

import torch

from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines.base import Edit, StepCallback
from inpaint_worker.pipelines.diffusers import DiffusersPipeline

#: Bits by which the seed of the masked picture's encoding differs from the seed of the noise: else both would start
#: from the same numbers.
_OTHER_SEED = 0x5D3


class SeededConditioning:
    """Put before a pipeline of diffusers whose `prepare_image_with_mask` takes no generator: SD3's and Qwen-Image's."""

    seed = 0
    _execution_device: torch.device

    def prepare_image_with_mask(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The conditioning, drawn after `self.seed`; the global generator stays as it was."""
        device = self._execution_device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed ^ _OTHER_SEED)
            conditioning: torch.Tensor = super().prepare_image_with_mask(*args, **kwargs)  # type: ignore[misc]
        return conditioning


class SeededPipeline(DiffusersPipeline):
    """A family whose pipeline has `SeededConditioning`: each edit's seed is also that of its encoding."""

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """See `Pipeline`."""
        self.pipe.seed = edit.seed
        return super().run(edit, on_step)
