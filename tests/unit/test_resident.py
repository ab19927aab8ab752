"""Which jobs pay for what is read once: the record says so, or else their seconds would mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from inpaint_core.guides import ControlType
from inpaint_worker.arrays import Pixels
from inpaint_worker.pipelines import Control, Edit, Reference, StepCallback
from inpaint_worker.resident import Resident
from slow_worker import CARD
from test_attempt import make_attempt

PICTURE = np.zeros((8, 8, 3), np.uint8)
PLAIN = Edit(PICTURE, np.ones((8, 8), np.bool_), seed=1)
SHOWN = replace(PLAIN, reference=Reference(PICTURE, 0.5))
LED = replace(PLAIN, control=Control(PICTURE, ControlType.CANNY, 1.0))


class _Pipeline:
    card = CARD
    fails = False

    def load(self) -> None:
        """Nothing."""

    def warm(self) -> None:
        """Nothing."""

    def described(self) -> dict[str, object]:
        return {}

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        if self.fails:
            raise ZeroDivisionError
        return edit.image


def test_the_first_job_and_the_first_with_each_kind_of_guide_are_marked() -> None:
    resident = Resident(_Pipeline())
    marks = []
    for edit in (PLAIN, PLAIN, SHOWN, SHOWN, LED, replace(SHOWN, control=LED.control), PLAIN):
        attempt = make_attempt()
        resident.run(attempt, edit)
        marks.append(attempt.report.first_after_load)
    assert marks == [True, False, True, False, True, False, False]


def test_a_guide_that_could_not_be_read_is_still_to_be_read() -> None:
    pipeline = _Pipeline()
    resident = Resident(pipeline)
    resident.run(make_attempt(), PLAIN)
    pipeline.fails = True
    with pytest.raises(ZeroDivisionError):
        resident.run(make_attempt(), SHOWN)
    pipeline.fails = False
    attempt = make_attempt()
    resident.run(attempt, SHOWN)
    resident.run(attempt, SHOWN)
    assert attempt.report.first_after_load
