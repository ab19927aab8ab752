"""The two classical methods of cv2.inpaint: no weights, no prompt, a CPU. An honest baseline for every model."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_core.card import ModelCard
from inpaint_core.errors import ParameterInvalid
from inpaint_core.settings import Settings

from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines.base import Edit, StepCallback

#: Masked pixels times the radius squared: about three minutes of one core. Its time grows with both.
_MOST_EFFORT = 2.5e9
_METHODS = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}


class OpenCvPipeline:
    """cv2.inpaint with the method that the card names."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._method = _METHODS[card.options["method"]]

    def load(self) -> None:
        """There are no weights; OpenCV's own threads are limited, since jobs already overlap."""
        cv2.setNumThreads(2)

    def described(self) -> dict[str, object]:
        """Nothing but its method, which is the model's name."""
        return {}

    def warm(self) -> None:
        """A small picture, so that OpenCV has initialised itself."""
        image = np.full((32, 32, 3), 127, np.uint8)
        region = np.zeros((32, 32), np.bool_)
        region[12:20, 12:20] = True
        self.run(Edit(image, region, seed=0, parameters=self.card.resolve({})), lambda _done, _total: None)

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """One step: cv2.inpaint cannot be interrupted."""
        on_step(0, 1)
        radius = float(edit.parameters["radius"])
        _check_effort(edit, radius)
        painted = cv2.inpaint(edit.image, edit.region.astype(np.uint8) * 255, radius, self._method)
        on_step(1, 1)
        return np.asarray(painted, np.uint8)


def _check_effort(edit: Edit, radius: float) -> None:
    masked = int(edit.region.sum())
    if masked * radius**2 > _MOST_EFFORT:
        raise ParameterInvalid(
            f"radius {radius:g} over {masked:,} masked pixels would take OpenCV many minutes, and it cannot be "
            f"interrupted. Use a radius of at most {(_MOST_EFFORT / masked) ** 0.5:.1f}, or a smaller mask.",
            field="radius",
            masked_pixels=masked,
        )


def build(card: ModelCard, _settings: Settings) -> OpenCvPipeline:
    """The pipeline of an OpenCV card."""
    return OpenCvPipeline(card)
