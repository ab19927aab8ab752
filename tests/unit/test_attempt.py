"""An attempt in progress: timing, progress, and wishes to stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from inpaint_db.claims import Claimed
from inpaint_worker.attempt import Attempt, AttemptStopped, Stop


def make_attempt(deadline: datetime | None = None) -> Attempt:
    """An attempt at a job that nobody else knows."""
    return Attempt(
        Claimed(
            job_id=uuid4(), number=1, model="m", source_uri="s3://bucket/a", source_sha256=None,
            mask_uri="s3://bucket/b", mask_sha256=None, prompt="", negative_prompt="", seed=1, parameters={},
            deadline=deadline, queue_wait_s=0.0, failures=0, max_attempts=3,
        )
    )  # fmt: skip


def test_phases_add_up_when_one_is_entered_twice() -> None:
    attempt = make_attempt()
    for _ in range(2):
        with attempt.phase("fetch"):
            pass
    assert list(attempt.report.seconds) == ["fetch_s"]
    assert attempt.report.seconds["fetch_s"] > 0


def test_a_phase_that_raises_is_still_counted() -> None:
    attempt = make_attempt()
    with pytest.raises(ValueError, match="no"), attempt.phase("prepare"):
        raise ValueError("no")
    assert "prepare_s" in attempt.report.seconds


def test_the_first_reason_to_stop_counts() -> None:
    attempt = make_attempt()
    attempt.stop(Stop.FENCED)
    attempt.stop(Stop.CANCELED)
    with pytest.raises(AttemptStopped) as stopped:
        attempt.step(1, 2)
    assert stopped.value.reason is Stop.FENCED


def test_a_step_is_reported_even_if_it_is_the_last() -> None:
    attempt = make_attempt()
    attempt.stop(Stop.CANCELED)
    with pytest.raises(AttemptStopped):
        attempt.step(3, 10)
    assert (attempt.progress().steps_done, attempt.progress().steps_total) == (3, 10)


@pytest.mark.parametrize(("seconds", "stops"), [(-1, True), (60, False)])
def test_a_deadline_stops_an_attempt_once_it_has_passed(seconds: float, stops: bool) -> None:
    attempt = make_attempt(datetime.now(UTC) + timedelta(seconds=seconds))
    if not stops:
        attempt.check()
        return
    with pytest.raises(AttemptStopped) as stopped:
        attempt.check()
    assert stopped.value.reason is Stop.EXPIRED


def test_no_phase_begins_after_a_wish_to_stop() -> None:
    attempt = make_attempt()
    attempt.stop(Stop.DRAINED)
    with pytest.raises(AttemptStopped), attempt.phase("store"):
        pytest.fail("the phase began")


def test_a_phase_that_is_under_way_counts_up_to_now() -> None:
    attempt = make_attempt()
    with attempt.phase("inference"):
        first = attempt.measured().seconds["inference_s"]
        assert attempt.measured().seconds["inference_s"] >= first >= 0
    assert attempt.measured().seconds["inference_s"] >= first
    assert attempt.measured().seconds == attempt.report.seconds
