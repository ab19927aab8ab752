"""The two classical methods of cv2.inpaint: no weights, no prompt, a CPU. An honest baseline for every model."""

from __future__ import annotations

import cv2
import numpy as np
from inpaint_core.card import ModelCard

from inpaint_worker.pipelines.base import Edit, Pixels, StepCallback

_METHODS = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}


class OpenCvPipeline:
    """cv2.inpaint with the method that the card names."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._method = _METHODS[card.options["method"]]

    def load(self) -> None:
        """There are no weights; OpenCV's own threads are limited, since jobs already overlap."""
        cv2.setNumThreads(2)

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
        painted = cv2.inpaint(edit.image, edit.region.astype(np.uint8) * 255, radius, self._method)
        on_step(1, 1)
        return np.asarray(painted, np.uint8)


def build(card: ModelCard) -> OpenCvPipeline:
    """The pipeline of an OpenCV card."""
    return OpenCvPipeline(card)
