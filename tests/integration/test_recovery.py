from __future__ import annotations

import pytest
from factories import job_row, let_time_pass, make_job, make_jobs, make_running, make_worker, row, try_claim
from inpaint_core.status import JobStatus, Priority, WorkerState
from inpaint_db.claims import AttemptReport, Progress, renew, requeue
from inpaint_db.recovery import count_overdue, expire_queued, forget_sent, overdue_jobs, reclaim_lost, take_unsent
from inpaint_db.session import Database
from inpaint_db.submissions import mark_published, request_cancel
from sqlalchemy import Connection, text

#: A lease that Postgres has certainly been up longer than.
SHORT_S = 0.001
#: Longer than any Postgres has been up.
LONG_S = 86_400 * 365 * 50


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_job_whose_lease_ran_out_is_queued_again_and_its_attempt_is_lost(connection: Connection) -> None:
    claimed = make_running(connection, lease_s=60)
    let_time_pass(connection, claimed.job_id, 61)
    [lost] = reclaim_lost(connection, lease_s=SHORT_S, limit=10)
    assert (lost.id, lost.status, lost.attempt, lost.host) == (claimed.job_id, "queued", 1, "testhost")
    job = job_row(connection, claimed.job_id)
    assert (job["status"], job["failures"], job["worker_id"], job["published_at"]) == ("queued", 1, None, None)
    assert job["error_code"] == "worker_lost" and "testhost, pid" in job["error_message"]
    attempt = row(connection, "attempt", job_id=claimed.job_id)
    assert attempt["status"] == "lost" and "phase fetch" in attempt["error_message"]


def test_a_lease_that_still_runs_is_left_alone(connection: Connection) -> None:
    claimed = make_running(connection, lease_s=60)
    let_time_pass(connection, claimed.job_id, 59)
    assert reclaim_lost(connection, lease_s=SHORT_S, limit=10) == []


def test_a_renewed_lease_runs_on(connection: Connection) -> None:
    worker = make_worker(connection)
    claimed = make_running(connection, worker=worker, lease_s=60)
    let_time_pass(connection, claimed.job_id, 61)
    renew(connection, worker.id, WorkerState.READY, [Progress(claimed.job_id, 1, "infer", 1, 2)], lease_s=60)
    assert reclaim_lost(connection, lease_s=SHORT_S, limit=10) == []


def test_no_lease_runs_out_before_postgres_has_been_up_that_long(connection: Connection) -> None:
    claimed = make_running(connection)
    let_time_pass(connection, claimed.job_id, 999)
    assert reclaim_lost(connection, lease_s=LONG_S, limit=10) == []
    assert len(reclaim_lost(connection, lease_s=SHORT_S, limit=10)) == 1


def test_a_job_that_lost_its_last_worker_fails(connection: Connection) -> None:
    claimed = make_running(connection, max_attempts=2)
    let_time_pass(connection, claimed.job_id, 999)
    assert [job.status for job in reclaim_lost(connection, lease_s=SHORT_S, limit=10)] == ["queued"]
    assert try_claim(connection, claimed.job_id, make_worker(connection)) is not None
    let_time_pass(connection, claimed.job_id, 999)
    assert [job.status for job in reclaim_lost(connection, lease_s=SHORT_S, limit=10)] == ["failed"]
    job = job_row(connection, claimed.job_id)
    assert (job["failures"], job["attempt"]) == (2, 2) and job["finished_at"] is not None


def test_a_job_that_was_to_be_canceled_ends_with_its_lost_worker(connection: Connection) -> None:
    claimed = make_running(connection)
    assert request_cancel(connection, claimed.job_id) is JobStatus.RUNNING
    let_time_pass(connection, claimed.job_id, 999)
    assert [job.status for job in reclaim_lost(connection, lease_s=SHORT_S, limit=10)] == ["canceled"]


def test_what_is_reclaimed_first_has_been_lost_longest(connection: Connection) -> None:
    older, newer = make_running(connection), make_running(connection)
    let_time_pass(connection, older.job_id, 900)
    let_time_pass(connection, newer.job_id, 800)
    assert [job.id for job in reclaim_lost(connection, lease_s=SHORT_S, limit=1)] == [older.job_id]


def test_two_relays_never_take_the_same_job(database: Database) -> None:
    with database.begin() as connection:
        jobs = [make_running(connection, lease_s=0.001).job_id for _ in range(6)]
    with database.begin() as one, database.begin() as other:
        first = reclaim_lost(one, lease_s=SHORT_S, limit=4)
        second = reclaim_lost(other, lease_s=SHORT_S, limit=4)  # does not wait for the first
    assert (len(first), len(second)) == (4, 2)
    assert sorted(job.id for job in first + second) == sorted(jobs)


# --- unsent messages --------------------------------------------------------------------------------------------------


def test_a_job_that_was_never_sent_is_taken_once_the_producer_has_had_its_time(connection: Connection) -> None:
    job_id = make_job(connection, priority="high")
    assert take_unsent(connection, grace_s=2, limit=10) == []
    let_time_pass(connection, job_id, 3)
    [unsent] = take_unsent(connection, grace_s=2, limit=10)
    assert (unsent.id, unsent.model, unsent.priority, unsent.recovered) == (
        job_id,
        "opencv-telea",
        Priority.HIGH,
        False,
    )
    assert job_row(connection, job_id)["published_at"] is not None
    assert take_unsent(connection, grace_s=2, limit=10) == []


def test_a_job_that_was_sent_is_not_taken(connection: Connection) -> None:
    job_id = make_job(connection)
    mark_published(connection, [job_id])
    let_time_pass(connection, job_id, 3)
    assert take_unsent(connection, grace_s=2, limit=10) == []


def test_a_job_that_comes_back_is_sent_at_once_and_ahead(connection: Connection) -> None:
    claimed = make_running(connection)
    requeue(connection, claimed, AttemptReport(), counts=False)
    [unsent] = take_unsent(connection, grace_s=999, limit=10)
    assert unsent.id == claimed.job_id and unsent.recovered


def test_a_pause_before_a_retry_is_kept(connection: Connection) -> None:
    claimed = make_running(connection)
    requeue(connection, claimed, AttemptReport(), counts=True, pause_s=5)
    assert take_unsent(connection, grace_s=0, limit=10) == []
    let_time_pass(connection, claimed.job_id, 5)
    assert len(take_unsent(connection, grace_s=0, limit=10)) == 1


def test_marking_as_sent_does_not_touch_what_already_runs(connection: Connection) -> None:
    claimed = make_running(connection)
    mark_published(connection, [claimed.job_id])
    assert job_row(connection, claimed.job_id)["published_at"] is None


def test_a_rollback_leaves_the_jobs_unsent(database: Database) -> None:
    with database.begin() as connection:
        job_id = make_job(connection)
    with database.engine.connect() as connection, connection.begin() as transaction:
        assert len(take_unsent(connection, grace_s=0, limit=10)) == 1
        transaction.rollback()
    with database.read() as connection:
        assert job_row(connection, job_id)["published_at"] is None


def test_two_relays_share_what_has_to_be_sent(database: Database) -> None:
    with database.begin() as connection:
        jobs = make_jobs(connection, 10)
    with database.begin() as one, database.begin() as other:
        first = take_unsent(one, grace_s=0, limit=7)
        second = take_unsent(other, grace_s=0, limit=7)
    assert (len(first), len(second)) == (7, 3)
    assert {job.id for job in first} | {job.id for job in second} == set(jobs)


# --- lost messages ----------------------------------------------------------------------------------------------------


def test_jobs_that_were_sent_long_ago_are_overdue(connection: Connection) -> None:
    job_id = make_job(connection)
    mark_published(connection, [job_id])
    assert count_overdue(connection, after_s=15) == []
    let_time_pass(connection, job_id, 16)
    assert [(entry.model, entry.jobs) for entry in count_overdue(connection, after_s=15)] == [("opencv-telea", 1)]
    assert overdue_jobs(connection, "opencv-telea", after_s=15) == {job_id}
    assert overdue_jobs(connection, "opencv-ns", after_s=15) == set()


def test_forgotten_messages_and_no_others_are_sent_again(connection: Connection) -> None:
    lost, kept = make_job(connection), make_job(connection)
    mark_published(connection, [lost, kept])
    for job_id in (lost, kept):
        let_time_pass(connection, job_id, 16)
    assert forget_sent(connection, [lost], after_s=15) == 1
    assert [job.id for job in take_unsent(connection, grace_s=2, limit=10)] == [lost]


def test_a_producer_that_is_late_to_say_that_it_sent_does_not_hide_a_requeue(connection: Connection) -> None:
    claimed = make_running(connection)
    requeue(connection, claimed, AttemptReport(), counts=False)
    mark_published(connection, [claimed.job_id])
    assert [job.id for job in take_unsent(connection, grace_s=2, limit=10)] == [claimed.job_id]


def test_a_running_job_has_no_message_to_lose(connection: Connection) -> None:
    claimed = make_running(connection)
    connection.execute(text("UPDATE job SET published_at = now() - interval '1 h'"))
    assert count_overdue(connection, after_s=15) == []
    assert forget_sent(connection, [claimed.job_id], after_s=15) == 0
    assert job_row(connection, claimed.job_id)["status"] == "running"


# --- deadlines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "status"), [("-1 s", "expired"), ("0 s", "expired"), ("1 s", "queued")])
def test_a_queued_job_expires_at_its_deadline(connection: Connection, offset: str, status: str) -> None:
    job_id = make_job(connection)
    connection.execute(text(f"UPDATE job SET deadline = now() + interval '{offset}'"))
    assert expire_queued(connection, limit=10) == (status == "expired")
    assert job_row(connection, job_id)["status"] == status


def test_an_expired_job_says_which_deadline_passed(connection: Connection) -> None:
    job_id = make_job(connection, deadline="2020-01-02T03:04:05Z")
    expire_queued(connection, limit=10)
    job = job_row(connection, job_id)
    assert job["error_code"] == "deadline_passed"
    assert "2020-01-02 03:04:05 UTC passed" in job["error_message"]


def test_a_running_job_is_left_to_its_worker(connection: Connection) -> None:
    claimed = make_running(connection)
    connection.execute(text("UPDATE job SET deadline = now() - interval '1 s'"))
    assert expire_queued(connection, limit=10) == 0
    assert job_row(connection, claimed.job_id)["status"] == "running"


def test_no_more_than_the_limit_is_taken_at_once(connection: Connection) -> None:
    make_jobs(connection, 5, deadline="2020-01-01T00:00:00Z")
    assert [expire_queued(connection, limit=3) for _ in range(3)] == [3, 2, 0]
