from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from factories import (
    count,
    job_row,
    make_job,
    make_output,
    make_running,
    make_worker,
    row,
    try_claim,
)
from inpaint_core.ids import new_id
from inpaint_core.status import JobStatus, WorkerState
from inpaint_db.claims import AttemptReport, Claimed, Progress, finish, renew, requeue
from inpaint_db.session import Database
from inpaint_db.submissions import request_cancel
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

SECONDS = {
    "fetch_s": 0.1,
    "prepare_s": 0.2,
    "gpu_wait_s": 0.3,
    "inference_s": 1.5,
    "composite_s": 0.04,
    "encode_s": 0.05,
    "store_s": 0.06,
}


def attempt_row(connection: Connection, claimed: Claimed) -> dict[str, Any]:
    return row(connection, "attempt", job_id=claimed.job_id, number=claimed.number)


def progress(claimed: Claimed, **fields: Any) -> Progress:
    return Progress(**{"job_id": claimed.job_id, "number": claimed.number, "phase": "infer", "steps_done": 3,
                       "steps_total": 20, **fields})  # fmt: skip


@pytest.fixture
def superseded(connection: Connection) -> Claimed:
    """An attempt whose job has been given to another worker since."""
    first = make_running(connection)
    assert requeue(connection, first, AttemptReport(), counts=False)
    assert try_claim(connection, first.job_id, make_worker(connection)) is not None
    return first


# --- claim ------------------------------------------------------------------------------------------------------------


def test_a_claim_tells_everything_the_worker_needs(connection: Connection) -> None:
    deadline = datetime.now(UTC) + timedelta(hours=1)
    job_id = make_job(connection, prompt="a sofa", seed=7, parameters={"radius": 3}, deadline=deadline)
    claimed = try_claim(connection, job_id, make_worker(connection))
    assert claimed is not None
    assert (claimed.number, claimed.failures, claimed.max_attempts) == (1, 0, 3)
    assert (claimed.prompt, claimed.seed, claimed.parameters) == ("a sofa", 7, {"radius": 3})
    assert claimed.source_uri == "s3://inpaint/in/room.jpg"
    assert claimed.deadline == deadline
    assert claimed.queue_wait_s == 0


def test_a_claim_opens_an_attempt_in_the_name_of_the_worker(connection: Connection) -> None:
    worker = make_worker(connection)
    claimed = make_running(connection, worker=worker)
    job, attempt = job_row(connection, claimed.job_id), attempt_row(connection, claimed)
    assert (job["status"], job["attempt"], job["worker_id"]) == ("running", 1, worker.id)
    assert (attempt["status"], attempt["worker_id"], attempt["seed"]) == ("running", worker.id, claimed.seed)
    assert attempt["environment_id"] == worker.environment_id


def test_a_running_job_is_not_claimed_again(connection: Connection) -> None:
    claimed = make_running(connection)
    assert try_claim(connection, claimed.job_id, make_worker(connection)) is None
    assert count(connection, "attempt") == 1


@pytest.mark.parametrize(
    "obstacle",
    [
        "not_before = now() + interval '1 s'",
        "deadline = now()",
        "cancel_requested_at = now()",
        "attempt = 3, failures = 3",
        "status = 'succeeded', finished_at = now()",
        "status = 'failed', finished_at = now()",
        "status = 'canceled', finished_at = now()",
        "status = 'expired', finished_at = now()",
    ],
)
def test_what_is_not_there_to_be_taken_is_not_claimed(connection: Connection, obstacle: str) -> None:
    job_id = make_job(connection)
    connection.execute(text(f"UPDATE job SET {obstacle} WHERE id = :id"), {"id": job_id})
    before = job_row(connection, job_id)
    assert try_claim(connection, job_id, make_worker(connection)) is None
    assert job_row(connection, job_id) == before and count(connection, "attempt") == 0


def test_a_worker_of_another_model_is_refused(connection: Connection) -> None:
    job_id = make_job(connection, model="opencv-ns")
    assert try_claim(connection, job_id, make_worker(connection), model="opencv-telea") is None
    assert try_claim(connection, job_id, make_worker(connection, "opencv-ns"), model="opencv-ns") is not None


def test_an_unknown_job_is_not_claimed(connection: Connection) -> None:
    assert try_claim(connection, new_id(), make_worker(connection)) is None


def test_the_wait_counts_from_when_the_job_might_have_run(connection: Connection) -> None:
    job_id = make_job(connection)
    connection.execute(
        text("UPDATE job SET queued_at = now() - interval '60 s', not_before = now() - interval '20 s' WHERE id = :id"),
        {"id": job_id},
    )
    claimed = try_claim(connection, job_id, make_worker(connection))
    assert claimed is not None and claimed.queue_wait_s == pytest.approx(20)


@pytest.fixture
def many_connections(database: Database) -> Database:
    from sqlalchemy import create_engine

    database.engine = create_engine(database.engine.url, pool_size=20, max_overflow=0)
    return database


def test_twenty_workers_who_ask_at_once_get_the_job_once(many_connections: Database) -> None:
    with many_connections.begin() as connection:
        jobs = [make_job(connection) for _ in range(5)]
        workers = [make_worker(connection) for _ in range(20)]
    for job_id in jobs:
        together = Barrier(20)

        def ask(worker: Any, job_id: Any = job_id, together: Barrier = together) -> Claimed | None:
            with many_connections.begin() as connection:
                connection.execute(text("SELECT 1"))
                together.wait(timeout=20)
                return try_claim(connection, job_id, worker)

        with ThreadPoolExecutor(20) as threads:
            claimed = [answer for answer in threads.map(ask, workers) if answer is not None]
        assert len(claimed) == 1
        with many_connections.read() as connection:
            assert job_row(connection, job_id)["attempt"] == 1


# --- finish -----------------------------------------------------------------------------------------------------------


def test_finish_writes_outcome_output_and_seconds_together(connection: Connection) -> None:
    claimed = make_running(connection)
    report = AttemptReport(SECONDS, 10**10, "process_rss", True, 20, 20, {"radius": 5})
    assert finish(connection, claimed, JobStatus.SUCCEEDED, report, [make_output(claimed)])
    job, attempt = job_row(connection, claimed.job_id), attempt_row(connection, claimed)
    assert (job["status"], job["failures"], job["lease_until"], job["worker_id"]) == ("succeeded", 0, None, None)
    assert job["finished_at"] is not None
    assert {name: attempt[name] for name in SECONDS} == SECONDS
    assert (attempt["status"], attempt["phase"], attempt["peak_memory_bytes"]) == ("succeeded", None, 10**10)
    assert attempt["parameters"] == {"radius": 5} and attempt["first_after_load"] is True
    output = row(connection, "output", job_id=claimed.job_id)
    assert output["uri"] == make_output(claimed).uri and output["attempt"] == 1


def test_what_was_not_measured_stays_null(connection: Connection) -> None:
    claimed = make_running(connection)
    finish(connection, claimed, JobStatus.CANCELED, AttemptReport())
    attempt = attempt_row(connection, claimed)
    unknown = [*SECONDS, "peak_memory_bytes", "peak_memory_kind", "parameters", "steps_done", "error_code"]
    assert {name: attempt[name] for name in unknown} == dict.fromkeys(unknown)


def test_a_failure_counts_and_its_reason_is_kept_with_job_and_attempt(connection: Connection) -> None:
    claimed = make_running(connection)
    reason = {"error_code": "image_unreadable", "error_message": "The mask is empty."}
    assert finish(connection, claimed, JobStatus.FAILED, AttemptReport(), **reason)
    job, attempt = job_row(connection, claimed.job_id), attempt_row(connection, claimed)
    assert (job["status"], job["failures"], attempt["status"]) == ("failed", 1, "failed")
    assert reason.items() <= job.items() and reason.items() <= attempt.items()


@pytest.mark.parametrize("status", [JobStatus.CANCELED, JobStatus.EXPIRED])
def test_an_end_that_is_nobodys_fault_does_not_count_as_failure(connection: Connection, status: JobStatus) -> None:
    claimed = make_running(connection)
    assert finish(connection, claimed, status, AttemptReport())
    assert job_row(connection, claimed.job_id)["failures"] == 0
    assert attempt_row(connection, claimed)["status"] == status


def test_finish_is_refused_when_a_newer_attempt_holds_the_job(connection: Connection, superseded: Claimed) -> None:
    before = job_row(connection, superseded.job_id)
    assert not finish(connection, superseded, JobStatus.SUCCEEDED, AttemptReport(SECONDS), [make_output(superseded)])
    assert job_row(connection, superseded.job_id) == before
    assert (before["status"], before["attempt"]) == ("running", 2)
    assert count(connection, "output") == 0
    assert attempt_row(connection, superseded)["inference_s"] is None


def test_finish_twice_is_refused_the_second_time(connection: Connection) -> None:
    claimed = make_running(connection)
    assert finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
    assert not finish(connection, claimed, JobStatus.FAILED, AttemptReport())
    assert job_row(connection, claimed.job_id)["status"] == "succeeded"


# --- requeue ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counts", "failures", "ended"), [(True, 1, "failed"), (False, 0, "released")])
def test_a_job_given_back_counts_as_failure_only_if_it_was_one(
    connection: Connection, counts: bool, failures: int, ended: str
) -> None:
    claimed = make_running(connection)
    assert requeue(connection, claimed, AttemptReport(), counts=counts)
    job = job_row(connection, claimed.job_id)
    assert (job["status"], job["failures"], job["attempt"]) == ("queued", failures, 1)
    assert (job["lease_until"], job["worker_id"], job["published_at"]) == (None, None, None)
    assert attempt_row(connection, claimed)["status"] == ended


def test_the_next_claim_takes_the_next_number(connection: Connection) -> None:
    claimed = make_running(connection)
    requeue(connection, claimed, AttemptReport(), counts=True)
    again = try_claim(connection, claimed.job_id, make_worker(connection))
    assert again is not None and (again.number, again.failures, again.seed) == (2, 1, claimed.seed)


def test_a_pause_keeps_the_job_from_being_claimed(connection: Connection) -> None:
    claimed = make_running(connection)
    requeue(connection, claimed, AttemptReport(), counts=True, pause_s=5, error_code="storage_unavailable")
    assert try_claim(connection, claimed.job_id, make_worker(connection)) is None
    assert job_row(connection, claimed.job_id)["error_code"] == "storage_unavailable"
    connection.execute(text("UPDATE job SET not_before = now()"))
    assert try_claim(connection, claimed.job_id, make_worker(connection)) is not None


def test_requeue_is_refused_when_a_newer_attempt_holds_the_job(connection: Connection, superseded: Claimed) -> None:
    assert not requeue(connection, superseded, AttemptReport(), counts=True)
    assert job_row(connection, superseded.job_id)["status"] == "running"


def test_a_job_that_was_to_be_canceled_ends_when_its_worker_gives_it_back(connection: Connection) -> None:
    claimed = make_running(connection)
    assert request_cancel(connection, claimed.job_id) is JobStatus.RUNNING
    assert requeue(connection, claimed, AttemptReport(), counts=False)
    job = job_row(connection, claimed.job_id)
    assert job["status"] == "canceled" and job["finished_at"] is not None


# --- renew ------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_renews_all_leases_and_tells_how_far_the_attempts_are(connection: Connection) -> None:
    worker = make_worker(connection)
    running = [make_running(connection, worker=worker, lease_s=1) for _ in range(3)]
    beat = [progress(claimed) for claimed in running]
    renewed = renew(connection, worker.id, WorkerState.READY, beat, lease_s=60)
    assert renewed.held == {(claimed.job_id, 1) for claimed in running}
    assert renewed.canceled == frozenset()
    attempt = attempt_row(connection, running[0])
    assert (attempt["phase"], attempt["steps_done"], attempt["steps_total"]) == ("infer", 3, 20)
    left = connection.execute(text("SELECT min(lease_until - now()) FROM job")).scalar_one()
    assert left == timedelta(seconds=60)


def test_an_idle_worker_says_that_it_lives(connection: Connection) -> None:
    worker = make_worker(connection)
    connection.execute(text("UPDATE worker SET seen_at = now() - interval '1 h'"))
    assert renew(connection, worker.id, WorkerState.STOPPING, [], lease_s=60).held == frozenset()
    found = connection.execute(text("SELECT state, seen_at = now() AS fresh FROM worker")).one()
    assert tuple(found) == ("stopping", True)


def test_a_heartbeat_without_steps_is_one_too(connection: Connection) -> None:
    worker = make_worker(connection)
    claimed = make_running(connection, worker=worker)
    beat = progress(claimed, phase="fetch", steps_done=None, steps_total=None)
    assert renew(connection, worker.id, WorkerState.READY, [beat], lease_s=60).held


def test_a_superseded_attempt_is_not_renewed_and_changes_nothing(connection: Connection, superseded: Claimed) -> None:
    before = job_row(connection, superseded.job_id)
    owner = attempt_row(connection, superseded)["worker_id"]
    assert renew(connection, owner, WorkerState.READY, [progress(superseded)], lease_s=999).held == frozenset()
    assert job_row(connection, superseded.job_id) == before
    assert attempt_row(connection, superseded)["steps_done"] is None


def test_an_earlier_attempt_of_the_same_worker_is_not_renewed(connection: Connection) -> None:
    worker = make_worker(connection)
    first = make_running(connection, worker=worker)
    requeue(connection, first, AttemptReport(), counts=False)
    second = try_claim(connection, first.job_id, worker)
    assert second is not None
    beat = [progress(first), progress(second)]
    assert renew(connection, worker.id, WorkerState.READY, beat, lease_s=60).held == {(first.job_id, 2)}
    assert renew(connection, worker.id, WorkerState.READY, [progress(first)], lease_s=60).held == frozenset()


def test_a_worker_cannot_renew_the_lease_of_another(connection: Connection) -> None:
    claimed = make_running(connection)
    other = make_worker(connection)
    assert renew(connection, other.id, WorkerState.READY, [progress(claimed)], lease_s=60).held == frozenset()


def test_a_heartbeat_brings_back_that_somebody_wants_to_cancel(connection: Connection) -> None:
    worker = make_worker(connection)
    kept, unwanted = (make_running(connection, worker=worker) for _ in range(2))
    request_cancel(connection, unwanted.job_id)
    renewed = renew(connection, worker.id, WorkerState.READY, [progress(kept), progress(unwanted)], lease_s=60)
    assert renewed.canceled == {(unwanted.job_id, 1)}
    assert renewed.held == {(kept.job_id, 1), (unwanted.job_id, 1)}


# --- what the database itself refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'done', finished_at = now()", "ck_job_status_known"),
        ("priority = 'urgent'", "ck_job_priority_known"),
        ("status = 'running'", "ck_job_running_has_lease"),
        ("lease_until = now()", "ck_job_lease_only_running"),
        ("finished_at = now()", "ck_job_finished_when_final"),
        ("status = 'succeeded'", "ck_job_finished_when_final"),
        ("failures = 1", "ck_job_counts"),
        ("max_attempts = 0", "ck_job_max_attempts_positive"),
        ("source_uri = NULL", "ck_job_has_inputs"),
        ("model = 'nobody'", "fk_job_model_model"),
        ("source_sha256 = repeat('0', 64)", "fk_job_source_sha256_image"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_by_name(connection: Connection, change: str, constraint: str) -> None:
    job_id = make_job(connection)
    with pytest.raises(IntegrityError, match=constraint), connection.begin_nested():
        connection.execute(text(f"UPDATE job SET {change} WHERE id = :id"), {"id": job_id})


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'done', finished_at = now()", "ck_attempt_status_known"),
        ("finished_at = now()", "ck_attempt_finished_when_final"),
        ("number = 0", "ck_attempt_number_positive"),
        ("peak_memory_bytes = 1", "ck_attempt_peak_memory_has_kind"),
    ],
)
def test_an_attempt_that_makes_no_sense_is_refused_by_name(
    connection: Connection, change: str, constraint: str
) -> None:
    make_running(connection)
    with pytest.raises(IntegrityError, match=constraint), connection.begin_nested():
        connection.execute(text(f"UPDATE attempt SET {change}"))


def test_an_attempt_has_one_result(connection: Connection) -> None:
    claimed = make_running(connection)
    outputs = [make_output(claimed), make_output(claimed)]
    with pytest.raises(IntegrityError, match=r"ix_output_job_id_attempt_kind|uq_output_uri"), connection.begin_nested():
        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), outputs)
