from __future__ import annotations

import pytest
from inpaint_core.status import LAWFUL_MOVES, AttemptStatus, JobStatus


def test_every_status_says_which_moves_are_lawful() -> None:
    assert set(LAWFUL_MOVES) == set(JobStatus)


def test_only_queued_and_running_are_not_final() -> None:
    assert [status for status in JobStatus if not status.is_final] == [JobStatus.QUEUED, JobStatus.RUNNING]


def test_a_success_is_never_undone() -> None:
    assert LAWFUL_MOVES[JobStatus.SUCCEEDED] == frozenset()


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED])
def test_what_ended_without_success_may_only_be_queued_again(status: JobStatus) -> None:
    assert LAWFUL_MOVES[status] == {JobStatus.QUEUED}


def test_nothing_ends_well_without_having_run() -> None:
    assert JobStatus.SUCCEEDED not in LAWFUL_MOVES[JobStatus.QUEUED]


def test_the_moves_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        LAWFUL_MOVES[JobStatus.SUCCEEDED] = frozenset({JobStatus.QUEUED})  # type: ignore[index]


def test_every_final_status_of_a_job_is_also_one_of_an_attempt() -> None:
    assert {status.value for status in JobStatus if status.is_final} <= {status.value for status in AttemptStatus}
