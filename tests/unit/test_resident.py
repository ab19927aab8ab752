"""The thread that a model lives on; and which jobs pay for what is read once, or else their seconds would mislead."""

from __future__ import annotations

import contextlib
import threading
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import structlog
from inpaint_core.errors import GpuOutOfMemory
from inpaint_core.guides import ControlType
from inpaint_worker.arrays import Pixels
from inpaint_worker.attempt import AttemptStopped, Stop
from inpaint_worker.device_thread import DeviceThread
from inpaint_worker.pipelines import Control, Edit, Reference, StepCallback
from inpaint_worker.resident import Resident
from slow_worker import CARD
from test_attempt import make_attempt

PICTURE = np.zeros((8, 8, 3), np.uint8)
PLAIN = Edit(PICTURE, np.ones((8, 8), np.bool_), seed=1)
SHOWN = replace(PLAIN, reference=Reference(PICTURE, 0.5))
#: Nothing here takes as long.
LONG_S = 30
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


def in_a_thread(do: Callable[[], object]) -> BaseException | None:
    """Run as one of Celery's threads would; what was raised."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).exception(LONG_S)


class _Watched(_Pipeline):
    """Notes who calls it, and does what it is told."""

    def __init__(self, does: Callable[[StepCallback], object] = lambda _on_step: None) -> None:
        self.threads: list[int] = []
        self.does = does

    def load(self) -> None:
        self.threads.append(threading.get_ident())

    warm = load

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        self.load()
        self.does(on_step)
        return edit.image


class TestTheThread:
    def test_one_thread_loads_warms_and_runs_whoever_asks(self) -> None:
        pipeline = _Watched()
        resident = Resident(pipeline)
        resident.load()
        for _ in range(2):
            assert in_a_thread(lambda: resident.run(make_attempt(), PLAIN)) is None
        resident.run(make_attempt(), PLAIN)
        assert len(pipeline.threads) == 5
        assert set(pipeline.threads) == {pipeline.threads[0]} != {threading.get_ident()}

    def test_a_thread_may_be_shared_with_what_is_run_beside_it(self) -> None:
        device, pipeline = DeviceThread(), _Watched()
        Resident(pipeline, device).load()
        assert device.call(threading.get_ident) in pipeline.threads

    @pytest.mark.parametrize("kind", [ZeroDivisionError, AttemptStopped, GpuOutOfMemory, SystemExit])
    def test_what_is_raised_there_comes_through_with_its_traceback(self, kind: type[BaseException]) -> None:
        raised = AttemptStopped(Stop.CANCELED) if kind is AttemptStopped else kind("of the pipeline")

        def fail(_on_step: StepCallback) -> None:
            raise raised

        resident = Resident(_Watched(fail))
        found = in_a_thread(lambda: resident.run(make_attempt(), PLAIN))
        assert found is raised
        assert "fail" in [frame.name for frame in traceback.extract_tb(found.__traceback__)]
        # It serves on, whatever that was.
        resident.pipeline.does = lambda _on_step: None
        assert in_a_thread(lambda: resident.run(make_attempt(), PLAIN)) is None

    def test_what_was_painted_and_what_was_raised_is_let_go(self) -> None:
        class Held:
            """Something large."""

        def fail(_on_step: StepCallback) -> None:
            held = Held()
            kept.append(weakref.ref(held))
            raise ZeroDivisionError

        kept: list[weakref.ref[Held]] = []
        device = DeviceThread()
        resident = Resident(_Watched(fail), device)
        with contextlib.suppress(ZeroDivisionError):
            resident.run(make_attempt(), PLAIN)
        made = device.call(Held)
        kept.append(weakref.ref(made))
        del made
        device.call(lambda: None)  # what came before is done with
        assert [ref() for ref in kept] == [None, None]

    def test_lines_of_its_log_tell_the_job(self) -> None:
        told: list[dict[str, Any]] = []
        resident = Resident(_Watched(lambda _on_step: told.append(structlog.contextvars.get_contextvars())))

        def job(number: str) -> None:
            with structlog.contextvars.bound_contextvars(job_id=number):
                resident.run(make_attempt(), PLAIN)

        for number in ("one", "two"):
            assert in_a_thread(lambda number=number: job(number)) is None
        resident.run(make_attempt(), PLAIN)
        assert told == [{"job_id": "one"}, {"job_id": "two"}, {}]

    def test_a_job_that_waits_for_its_turn_can_be_stopped_and_one_that_runs_at_its_next_step(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def stay(on_step: StepCallback) -> None:
            begun.set()
            assert go_on.wait(LONG_S)
            on_step(1, 2)

        resident = Resident(_Watched(stay))
        running, waiting = make_attempt(), make_attempt()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(resident.run, running, PLAIN)
            assert begun.wait(LONG_S)
            second = pool.submit(resident.run, waiting, PLAIN)
            waiting.stop(Stop.DRAINED)
            assert isinstance(second.exception(LONG_S), AttemptStopped)
            assert not first.done() and resident.device.busy
            running.stop(Stop.CANCELED)
            go_on.set()
            assert isinstance(first.exception(LONG_S), AttemptStopped)
        assert (running.report.steps_done, waiting.report.steps_done) == (1, make_attempt().report.steps_done)
        assert not resident.device.busy
