"""Whether a run kept what the fleet promises, and how long the jobs that were hit took to recover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectStore
from sqlalchemy import Connection, text

from inpaint_benchmark.chaos import checks
from inpaint_benchmark.chaos.claim_log import double_holdings, read_claim_logs
from inpaint_benchmark.chaos.orders import Expect, Order
from inpaint_benchmark.chaos.stage import Injection, Journal

_ENDS: dict[Expect, set[tuple[str, str | None]]] = {
    Expect.SUCCESS: {("succeeded", None)},
    Expect.POISONED: {("failed", "worker_lost")},
    Expect.HUNG: {("failed", "step_hung"), ("failed", "worker_lost")},
    Expect.IN_TIME_OR_EXPIRED: {("succeeded", None), ("expired", "deadline_passed")},
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind besides the database and the bucket."""

    orders: Sequence[Order]
    #: key -> job, as the producer was told.
    accepted: Mapping[str, UUID]
    #: The same of a second submission, after all was over.
    accepted_again: Mapping[str, UUID]
    journal: Journal
    claim_logs: Path
    lease_s: float


def violations(connection: Connection, store: ObjectStore, evidence: Evidence) -> list[str]:
    """Every promise that was broken, in words."""
    holdings = read_claim_logs(evidence.claim_logs)
    found = checks.statuses(connection)
    return [
        *checks.record_problems(connection),
        *checks.stored_problems(connection, store),
        *checks.claimed_problems(connection, {(each.job_id, each.number) for each in holdings}),
        *double_holdings(holdings, evidence.lease_s),
        *checks.count_problems(evidence.accepted, evidence.journal.refused, found),
        *_unexpected(evidence, found),
        *_unheeded_cancels(evidence.journal, found),
        *_different_answers(evidence),
    ]


def recoveries(connection: Connection, injections: Sequence[Injection]) -> dict[str, list[float]]:
    """For each fault the seconds until its jobs ran again, or ended. A waiting job waits for its turn, too."""
    ids = list({job for injection in injections for job in injection.jobs})
    values = {"ids": ids}
    ends = dict(_moments(connection, "SELECT id, finished_at AS at FROM job WHERE id = ANY(:ids)", values))
    starts: dict[UUID, dict[int, float]] = {}
    statement = text(
        "SELECT job_id, number, extract(epoch FROM started_at) AS at FROM attempt WHERE job_id = ANY(:ids)"
    )
    for row in connection.execute(statement, values):
        starts.setdefault(row.job_id, {})[row.number] = float(row.at)
    found: dict[str, list[float]] = {}
    for injection in injections:
        seconds = found.setdefault(injection.fault, [])
        for job, hit in injection.jobs.items():
            moments = [ends[job]] if job in ends else []
            if hit.attempt is not None:
                moments += [at for number, at in starts.get(job, {}).items() if number > hit.attempt]
            # What happened before the fault, if only just, is no recovery from it.
            later = [at for at in moments if at >= hit.at]
            seconds += [min(later) - hit.at] if later else []
    return found


def _moments(connection: Connection, statement: str, values: dict[str, Any]) -> Iterator[tuple[UUID, float]]:
    for row in connection.execute(text(statement), values):
        if row.at is not None:
            yield row.id, row.at.timestamp()


def _unexpected(evidence: Evidence, found: Mapping[UUID, tuple[str, str | None]]) -> Iterator[str]:
    for order in evidence.orders:
        job = evidence.accepted.get(order.key)
        if job is None:
            yield f"order {order.key} was never accepted"
            continue
        end = found.get(job, ("not there", None))
        allowed = set(_ENDS[order.expect])
        if end[0] == "canceled" and job in evidence.journal.cancels:
            continue
        # The code of an earlier failure stays readable on a job that succeeded in the end.
        if end not in allowed and (end[0] != "succeeded" or ("succeeded", None) not in allowed):
            yield f"job {job} ({order.prompt}) is {end[0]} ({end[1]}), expected: {order.expect.value}"


def _unheeded_cancels(journal: Journal, found: Mapping[UUID, tuple[str, str | None]]) -> Iterator[str]:
    for job, answer in journal.cancels.items():
        status = found.get(job, ("not there", None))[0]
        # One that was running may have ended before its worker heard of it.
        good = {status} if answer is JobStatus.RUNNING else {answer.value}
        if status not in good or status in ("queued", "running"):
            yield f"job {job} is {status}, although its cancel was answered with {answer.value}"


def _different_answers(evidence: Evidence) -> Iterator[str]:
    for key, job in evidence.accepted.items():
        again = evidence.accepted_again.get(key)
        if again != job:
            yield f"key {key} was answered with job {job}, and later with {again}"
