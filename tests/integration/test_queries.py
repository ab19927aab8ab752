from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from factories import (
    let_time_pass,
    make_illustrated_job,
    make_job,
    make_jobs,
    make_output,
    make_request,
    make_running,
    make_worker,
    try_claim,
)
from inpaint_core.errors import JobNotFound
from inpaint_core.status import JobStatus, WorkerState
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.presence import EnvironmentFacts, register_worker, set_worker_state
from inpaint_db.queries import (
    JobFilter,
    get_job,
    get_jobs,
    job_statuses,
    list_jobs,
    list_queues,
    list_workers,
    retry_jobs,
)
from inpaint_db.submissions import NewJob, insert_jobs
from sqlalchemy import Connection, text

LIVE_S = 30


# --- one job ----------------------------------------------------------------------------------------------------------


def test_a_job_that_succeeded_shows_its_seconds_output_and_what_was_asked(connection: Connection) -> None:
    claimed = make_running(connection, prompt="a sofa", campaign="spring", tags={"room": "7"})
    connection.execute(text("UPDATE job SET submitted_at = now() - interval '9 s'"))
    report = AttemptReport({"fetch_s": 0.1, "inference_s": 1.5}, 10**9, "process_rss", steps_done=4, steps_total=4)
    finish(connection, claimed, JobStatus.SUCCEEDED, report, [make_output(claimed)])
    view = get_job(connection, claimed.job_id)
    assert view.status is JobStatus.SUCCEEDED and view.attempt == 1
    assert view.seconds == {"queue_wait_s": 0, "fetch_s": 0.1, "inference_s": 1.5}
    assert view.total_s == pytest.approx(9)
    assert view.output_uri == make_output(claimed).uri and view.output_sha256 == make_output(claimed).sha256
    assert (view.prompt, view.campaign, view.tags) == ("a sofa", "spring", {"room": "7"})
    assert view.waiting_for is None


def test_the_output_of_an_earlier_attempt_is_not_the_result(connection: Connection) -> None:
    claimed = make_running(connection)
    finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed, "debug")])
    assert get_job(connection, claimed.job_id).output_uri is None


def test_an_unknown_job_is_a_sentence(connection: Connection) -> None:
    with pytest.raises(JobNotFound, match="inpaint jobs list") as caught:
        get_job(connection, UUID(int=0))
    assert caught.value.exit_code == 3


def test_many_jobs_are_asked_for_at_once_and_unknown_ones_are_left_out(connection: Connection) -> None:
    jobs = make_jobs(connection, 3)
    assert set(get_jobs(connection, [*jobs, UUID(int=0)])) == set(jobs)
    assert job_statuses(connection, [*jobs, UUID(int=0)]) == dict.fromkeys(jobs, JobStatus.QUEUED)
    assert get_jobs(connection, []) == {}


def test_the_share_of_the_picture_that_the_mask_marks_is_told(connection: Connection) -> None:
    make_illustrated_job(connection)
    shown = connection.execute(text("SELECT width, height, masked_share FROM job_report")).one()
    assert tuple(shown) == (96, 64, 0.25)


# --- why a job waits --------------------------------------------------------------------------------------------------


def test_a_queued_job_without_any_worker_says_so(connection: Connection) -> None:
    job_id = make_job(connection)
    assert get_job(connection, job_id).waiting_for == "no worker for opencv-telea has ever run"


def test_a_queued_job_whose_workers_have_gone_says_since_when(connection: Connection) -> None:
    make_worker(connection)
    connection.execute(text("UPDATE worker SET seen_at = '2026-01-02T03:04:05Z'"))
    assert get_job(connection, make_job(connection)).waiting_for == (
        "no worker for opencv-telea since 2026-01-02 03:04:05 UTC"
    )


@pytest.mark.parametrize("state", [WorkerState.LOADING, WorkerState.READY])
def test_a_queued_job_with_a_worker_only_waits_for_its_turn(connection: Connection, state: WorkerState) -> None:
    make_worker(connection, state=state)
    assert get_job(connection, make_job(connection)).waiting_for is None


def test_a_worker_of_another_model_is_of_no_use(connection: Connection) -> None:
    make_worker(connection, "opencv-ns")
    assert "no worker for opencv-telea" in str(get_job(connection, make_job(connection)).waiting_for)


def test_a_job_in_its_pause_says_so(connection: Connection) -> None:
    job_id = make_job(connection)
    connection.execute(text("UPDATE job SET not_before = now() + interval '5 s'"))
    assert get_job(connection, job_id).waiting_for == "pause before a retry"


# --- lists ------------------------------------------------------------------------------------------------------------


def submit_at(connection: Connection, minutes_ago: int, **fields: object) -> UUID:
    job_id = make_job(connection, **fields)
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    connection.execute(text("UPDATE job SET submitted_at = :at WHERE id = :id"), {"at": at, "id": job_id})
    return job_id


def test_the_newest_jobs_come_first_and_a_page_follows_another(connection: Connection) -> None:
    jobs = [submit_at(connection, minutes_ago=minutes) for minutes in (5, 4, 3, 2, 1)]
    first = [view.id for view in list_jobs(connection, JobFilter(), 2)]
    assert first == [jobs[4], jobs[3]]
    assert [view.id for view in list_jobs(connection, JobFilter(before=first[-1]), 2)] == [jobs[2], jobs[1]]


def test_jobs_of_one_batch_are_listed_in_their_order(connection: Connection) -> None:
    jobs = make_jobs(connection, 5)
    assert [view.id for view in list_jobs(connection, JobFilter(), 3)] == jobs[:1:-1]
    assert [view.id for view in list_jobs(connection, JobFilter(before=jobs[2]), 3)] == [jobs[1], jobs[0]]


def test_ids_that_another_producer_has_chosen_do_not_disturb_the_order(connection: Connection) -> None:
    make_job(connection)
    jobs = []
    for minutes in range(20, 0, -1):
        job_id = uuid4()  # says nothing of its time
        insert_jobs(connection, [NewJob(job_id, make_request())], max_attempts=3)
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        connection.execute(text("UPDATE job SET submitted_at = :at WHERE id = :id"), {"at": at, "id": job_id})
        jobs.append(job_id)
    listed = [view.id for view in list_jobs(connection, JobFilter(), 30)]
    assert listed[1:] == jobs[::-1]
    assert [view.id for view in list_jobs(connection, JobFilter(before=jobs[10]), 30)] == jobs[9::-1]


def test_each_filter_leaves_out_the_others(connection: Connection) -> None:
    old = submit_at(connection, 60, campaign="spring")
    other = submit_at(connection, 1, model="opencv-ns")
    failed = make_running(connection)
    finish(connection, failed, JobStatus.FAILED, AttemptReport(), error_code="mask_empty", error_message="?")

    def ids(where: JobFilter) -> set[UUID]:
        return {view.id for view in list_jobs(connection, where, 10)}

    assert ids(JobFilter()) == {old, other, failed.job_id}
    assert ids(JobFilter(statuses=[JobStatus.FAILED, JobStatus.SUCCEEDED])) == {failed.job_id}
    assert ids(JobFilter(model="opencv-ns")) == {other}
    assert ids(JobFilter(campaign="spring")) == {old}
    assert ids(JobFilter(error_code="mask_empty")) == {failed.job_id}
    assert ids(JobFilter(since=datetime.now(UTC) - timedelta(minutes=5))) == {other, failed.job_id}
    assert ids(JobFilter(statuses=[JobStatus.QUEUED], campaign="autumn")) == set()


# --- retry ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["failed", "canceled", "expired"])
def test_what_ended_without_success_is_queued_again_with_fresh_attempts(connection: Connection, status: str) -> None:
    claimed = make_running(connection)
    connection.execute(
        text("""UPDATE job SET status = :status, finished_at = now(), lease_until = NULL, worker_id = NULL,
                       failures = 1, max_attempts = 1, cancel_requested_at = now(), deadline = now() - interval '1 s',
                       error_code = 'x', error_message = 'y'"""),
        {"status": status},
    )
    assert retry_jobs(connection, [claimed.job_id]) == [claimed.job_id]
    view = get_job(connection, claimed.job_id)
    assert (view.status, view.failures, view.error_code, view.cancel_requested) == (JobStatus.QUEUED, 0, None, False)
    assert view.deadline is None
    again = try_claim(connection, claimed.job_id, make_worker(connection))
    assert again is not None and again.number == 2


def test_a_job_that_succeeded_runs_or_waits_is_not_queued_again(connection: Connection) -> None:
    done = make_running(connection)
    finish(connection, done, JobStatus.SUCCEEDED, AttemptReport(), [make_output(done)])
    ids = [done.job_id, make_running(connection).job_id, make_job(connection), UUID(int=0)]
    assert retry_jobs(connection, ids) == []


# --- queues and workers -----------------------------------------------------------------------------------------------


def test_a_queue_tells_what_waits_runs_and_was_done(connection: Connection) -> None:
    waiting = make_jobs(connection, 3)
    let_time_pass(connection, waiting[0], 90)
    worker = make_worker(connection)
    make_worker(connection, state=WorkerState.LOADING)
    make_running(connection, worker=worker)
    done, failed = make_running(connection, worker=worker), make_running(connection, worker=worker)
    finish(connection, done, JobStatus.SUCCEEDED, AttemptReport(), [make_output(done)])
    finish(connection, failed, JobStatus.FAILED, AttemptReport())
    [queue] = list_queues(connection, live_s=LIVE_S)
    assert (queue.model, queue.queued, queue.running) == ("opencv-telea", 3, 1)
    assert queue.oldest_queued_s == pytest.approx(90)
    assert (queue.workers_ready, queue.workers_loading) == (1, 1)
    assert (queue.succeeded_last_hour, queue.failed_last_hour) == (1, 1)


def test_a_worker_that_has_not_been_seen_does_not_count(connection: Connection) -> None:
    make_worker(connection)
    connection.execute(text("UPDATE worker SET seen_at = now() - interval '31 s'"))
    assert list_queues(connection, live_s=LIVE_S) == []
    [worker] = list_workers(connection, live_s=LIVE_S)
    assert not worker.live and worker.seen_s_ago == pytest.approx(31)


def test_a_worker_tells_where_it_runs_and_how_much_it_has_in_hand(connection: Connection) -> None:
    worker = make_worker(connection)
    make_running(connection, worker=worker)
    [view] = list_workers(connection, live_s=LIVE_S)
    assert (view.id, view.model, view.state, view.host, view.running) == (
        worker.id,
        "opencv-telea",
        "ready",
        "testhost",
        1,
    )
    assert view.live and view.device_name == "Test CPU"


def test_a_worker_that_stopped_is_not_listed(connection: Connection) -> None:
    make_worker(connection, state=WorkerState.STOPPED)
    assert list_workers(connection, live_s=LIVE_S) == []


def test_equal_machines_share_an_environment_and_a_changed_library_makes_another(connection: Connection) -> None:
    one, same = make_worker(connection), make_worker(connection)
    assert one.environment_id == same.environment_id and one.id != same.id
    facts = EnvironmentFacts("cpu", "Test CPU", None, None, "3.11", "Linux", {"pillow": "13"})
    from inpaint_core.catalogue import load_catalogue

    other = register_worker(connection, load_catalogue().card("opencv-ns"), facts, host="h", pid=1, version="0")
    assert other.environment_id != one.environment_id


def test_a_worker_is_ready_only_once_it_said_so(connection: Connection) -> None:
    worker = make_worker(connection, state=WorkerState.LOADING)
    states = text("SELECT state, ready_at, stopped_at FROM worker")
    assert tuple(connection.execute(states).one()) == ("loading", None, None)
    set_worker_state(connection, worker.id, WorkerState.READY)
    found = connection.execute(states).one()
    assert found.ready_at is not None and found.stopped_at is None
