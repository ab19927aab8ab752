"""Laying the notes of several processes side by side."""

from __future__ import annotations

from uuid import UUID

from inpaint_benchmark.chaos.claim_log import Holding, double_holdings

JOB = UUID(int=1)
LEASE_S = 4


def holding(number: int, claimed_at: float, *renewed: float, let_go_at: float = float("inf")) -> Holding:
    return Holding(f"process-{number}-{claimed_at}", JOB, number, claimed_at, [claimed_at, *renewed], let_go_at)


def test_a_job_may_be_claimed_again_once_its_lease_has_run_out_or_it_was_let_go() -> None:
    assert double_holdings([holding(1, 0), holding(2, 4.1)], LEASE_S) == []
    assert double_holdings([holding(1, 0, let_go_at=1), holding(2, 1.1)], LEASE_S) == []


def test_a_claim_while_another_holds_the_job_is_found() -> None:
    assert len(double_holdings([holding(1, 0), holding(2, 3)], LEASE_S)) == 1
    assert len(double_holdings([holding(1, 0, 1, 2, 3), holding(2, 6)], LEASE_S)) == 1


def test_one_attempt_that_was_given_to_two_claims_is_found() -> None:
    assert double_holdings([holding(1, 0), holding(1, 60)], LEASE_S) == [
        f"job {JOB}: attempt 1 was given to two claims"
    ]
