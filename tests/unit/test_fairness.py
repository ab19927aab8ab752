"""In which order a queue serves its jobs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_core.fairness import COUNT_UP_TO, FIRST_STEP, STEPS, last_step, step_for
from inpaint_core.status import Priority

WAITING = st.integers(0, 1_000_000)


@given(WAITING, WAITING)
def test_a_higher_priority_goes_first_however_much_its_campaign_has_waiting(one: int, other: int) -> None:
    high, normal, low = (step_for(p, one) for p in (Priority.HIGH, Priority.NORMAL, Priority.LOW))
    assert high < step_for(Priority.NORMAL, other)
    assert normal < step_for(Priority.LOW, other)
    assert min(high, normal, low) > FIRST_STEP
    assert {high, normal, low} <= set(STEPS)


@given(st.sampled_from(Priority), WAITING, WAITING)
def test_within_a_priority_smaller_campaigns_never_stand_behind_bigger_ones(p: Priority, one: int, other: int) -> None:
    smaller, bigger = sorted((one, other))
    assert step_for(p, smaller) <= step_for(p, bigger)


def test_the_first_jobs_of_a_campaign_pass_the_bulk_of_another() -> None:
    assert step_for(Priority.NORMAL, 9) < step_for(Priority.NORMAL, 50_000)
    assert step_for(Priority.NORMAL, 0) < step_for(Priority.NORMAL, 9)


@given(st.sampled_from(Priority), st.integers(COUNT_UP_TO, 10**9))
def test_counting_further_than_the_limit_changes_nothing(priority: Priority, waiting: int) -> None:
    assert step_for(priority, waiting) == last_step(priority)


def test_what_other_code_bases_send_by_the_contract_stands_at_the_end_of_its_priority() -> None:
    assert [last_step(p) for p in (Priority.HIGH, Priority.NORMAL, Priority.LOW)] == [3, 6, 9]
