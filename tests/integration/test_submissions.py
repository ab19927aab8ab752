from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from factories import MODEL, count, job_row, make_facts, make_illustrated_job, make_job, make_request, make_running
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import IdempotencyConflict
from inpaint_core.ids import new_id
from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_db.submissions import (
    NewJob,
    Submitted,
    insert_failed,
    insert_images,
    insert_jobs,
    known_images,
    register_models,
    request_cancel,
)
from sqlalchemy import Connection, text


def insert(connection: Connection, **fields: Any) -> Submitted:
    register_models(connection, [load_catalogue().card(MODEL)])
    return insert_jobs(connection, [NewJob(new_id(), make_request(**fields))], max_attempts=3)[0]


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_is_stored_with_all_that_was_asked(connection: Connection) -> None:
    asked = {
        "prompt": "ein grünes Sofa 🛋",
        "negative_prompt": "blurred",
        "seed": 2**32 - 1,
        "parameters": {"radius": 2.5, "on": True, "mode": "x", "n": 3},
        "campaign": "spring",
        "tags": {"room": "7"},
        "priority": "low",
        "deadline": "2030-01-01T00:00:00.123456Z",
        "idempotency_key": "k",
    }
    submitted = insert(connection, **asked)
    assert submitted.created and submitted.status is JobStatus.QUEUED
    job = job_row(connection, submitted.id)
    request = make_request(**asked)
    assert {name: job[name] for name in asked} == {name: getattr(request, name) for name in asked}
    assert (job["source_uri"], job["mask_uri"], job["request_hash"]) == (
        request.source,
        request.mask,
        request.fingerprint(),
    )
    assert (job["status"], job["attempt"], job["failures"], job["published_at"]) == ("queued", 0, 0, None)
    assert job["submitted_at"] == job["queued_at"] == job["not_before"]


def test_a_job_without_a_seed_is_given_one(connection: Connection) -> None:
    assert 0 <= job_row(connection, insert(connection).id)["seed"] < 2**32


def test_quotes_backslashes_and_percent_signs_arrive_as_they_were_sent(connection: Connection) -> None:
    prompt = """a "sofa" 'here' \\ \\u0041 %(x)s :y {z} \n\t"""
    assert job_row(connection, insert(connection, prompt=prompt).id)["prompt"] == prompt


def test_1200_jobs_are_answered_in_the_order_they_were_given(connection: Connection) -> None:
    register_models(connection, [load_catalogue().card(MODEL)])
    jobs = [NewJob(new_id(), make_request(seed=seed)) for seed in range(1200)]
    answers = insert_jobs(connection, jobs, max_attempts=3)
    assert [answer.id for answer in answers] == [job.id for job in jobs]
    assert all(answer.created for answer in answers)
    stored = connection.execute(text("SELECT seed FROM job ORDER BY id")).scalars().all()
    assert list(stored) == list(range(1200))


def test_no_jobs_at_all_is_nothing(connection: Connection) -> None:
    assert insert_jobs(connection, [], max_attempts=3) == []


# --- idempotency ------------------------------------------------------------------------------------------------------


def test_the_same_request_with_the_same_key_is_the_first_job(connection: Connection) -> None:
    first = insert(connection, idempotency_key="k", prompt="a sofa")
    again = insert(connection, idempotency_key="k", prompt="a sofa")
    assert (again.id, again.created, again.status) == (first.id, False, JobStatus.QUEUED)
    assert count(connection, "job") == 1


def test_the_answer_to_a_repeated_submit_tells_how_the_first_job_stands(connection: Connection) -> None:
    claimed = make_running(connection, idempotency_key="k")
    assert insert(connection, idempotency_key="k") == Submitted(claimed.job_id, MODEL, False, JobStatus.RUNNING)


def test_the_same_key_for_another_request_is_refused_and_names_the_job(connection: Connection) -> None:
    first = insert(connection, idempotency_key="k", prompt="a sofa")
    with pytest.raises(IdempotencyConflict, match=f"'k' belongs to job {first.id}.*Use a new key") as caught:
        insert(connection, idempotency_key="k", prompt="a lamp")
    assert caught.value.job_id == str(first.id) and caught.value.exit_code == 6


def test_a_conflict_leaves_nothing_of_its_batch(database: Database) -> None:
    with database.begin() as connection:
        insert(connection, idempotency_key="k", prompt="a sofa")
    jobs = [
        NewJob(new_id(), make_request()),
        NewJob(new_id(), make_request(idempotency_key="k", prompt="a lamp")),
    ]
    with pytest.raises(IdempotencyConflict), database.begin() as connection:
        insert_jobs(connection, jobs, max_attempts=3)
    with database.read() as connection:
        assert count(connection, "job") == 1


def test_a_key_that_stands_twice_in_one_batch_is_one_job(connection: Connection) -> None:
    register_models(connection, [load_catalogue().card(MODEL)])
    jobs = [NewJob(new_id(), make_request(idempotency_key="k")) for _ in range(3)]
    answers = insert_jobs(connection, jobs, max_attempts=3)
    assert {answer.id for answer in answers} == {jobs[0].id}
    assert [answer.created for answer in answers] == [True, False, False]


def test_jobs_without_a_key_are_never_the_same(connection: Connection) -> None:
    assert insert(connection, prompt="a sofa").id != insert(connection, prompt="a sofa").id


def test_ten_producers_with_one_key_get_one_job(database: Database) -> None:
    with database.begin() as connection:
        register_models(connection, [load_catalogue().card(MODEL)])
    together = Barrier(10)

    def submit(_: int) -> Submitted:
        with database.begin() as connection:
            connection.execute(text("SELECT 1"))
            together.wait(timeout=20)
            return insert_jobs(connection, [NewJob(new_id(), make_request(idempotency_key="k"))], max_attempts=3)[0]

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(submit, range(10)))
    assert len({answer.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1


# --- models and images ------------------------------------------------------------------------------------------------


def test_a_model_keeps_its_first_day_and_takes_its_newest_card(connection: Connection) -> None:
    card = load_catalogue().card(MODEL)
    register_models(connection, [card])
    connection.execute(text("UPDATE model SET first_seen_at = '2020-01-01Z', updated_at = '2020-01-01Z'"))
    register_models(connection, [card])
    assert str(connection.execute(text("SELECT updated_at FROM model")).scalar_one()).startswith("2020")
    register_models(connection, [card.model_copy(update={"title": "New"})])
    found = connection.execute(text("SELECT card->>'title' AS title, first_seen_at, updated_at FROM model")).one()
    assert found.title == "New" and found.first_seen_at.year == 2020 and found.updated_at.year > 2020


def test_an_image_learns_its_mask_area_when_it_is_used_as_a_mask(connection: Connection) -> None:
    insert_images(connection, [make_facts("a")])
    insert_images(connection, [make_facts("a", masked_pixels=7)])
    insert_images(connection, [make_facts("a")])
    facts = make_facts("a", masked_pixels=7)
    assert known_images(connection, [facts.sha256, "0" * 64]) == {facts.sha256: facts}


def test_one_picture_as_source_and_mask_of_one_job_is_one_row(connection: Connection) -> None:
    insert_images(connection, [make_facts("a"), make_facts("a", masked_pixels=7)])
    assert count(connection, "image") == 1
    assert known_images(connection, [make_facts("a").sha256])[make_facts("a").sha256].masked_pixels == 7


def test_a_job_names_its_images_by_content(connection: Connection) -> None:
    job = job_row(connection, make_illustrated_job(connection))
    assert job["source_sha256"] == make_facts("room").sha256 and job["mask_sha256"] == make_facts("mask").sha256


# --- messages that cannot be accepted ---------------------------------------------------------------------------------


def test_a_message_that_cannot_be_understood_is_kept_as_a_failed_job(connection: Connection) -> None:
    register_models(connection, [load_catalogue().card(MODEL)])
    job_id = new_id()
    insert_failed(connection, job_id, MODEL, None, "invalid_request", "version 9 is not known.")
    job = job_row(connection, job_id)
    assert (job["status"], job["error_code"], job["error_message"]) == (
        "failed",
        "invalid_request",
        "version 9 is not known.",
    )
    assert job["finished_at"] is not None and job["source_uri"] is None and job["attempt"] == 0


def test_a_request_that_cannot_be_carried_out_is_kept_with_what_it_asked(connection: Connection) -> None:
    register_models(connection, [load_catalogue().card(MODEL)])
    job_id = new_id()
    request = make_request(prompt="a sofa", campaign="spring", idempotency_key="k")
    insert_failed(connection, job_id, MODEL, request, "parameter_invalid", "radius must be from 1 to 64.")
    job = job_row(connection, job_id)
    assert (job["prompt"], job["campaign"], job["source_uri"]) == ("a sofa", "spring", request.source)
    # The key stays free: the mended request may use it.
    assert job["idempotency_key"] is None


def test_a_bad_message_cannot_overwrite_a_job(connection: Connection) -> None:
    job_id = make_job(connection)
    insert_failed(connection, job_id, MODEL, None, "invalid_request", "?")
    assert job_row(connection, job_id)["status"] == "queued"


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_a_queued_job_is_canceled_at_once(connection: Connection) -> None:
    job_id = make_job(connection)
    assert request_cancel(connection, job_id) is JobStatus.CANCELED
    job = job_row(connection, job_id)
    assert job["status"] == "canceled" and job["finished_at"] is not None


def test_a_running_job_is_only_asked_to_end(connection: Connection) -> None:
    claimed = make_running(connection)
    assert request_cancel(connection, claimed.job_id) is JobStatus.RUNNING
    job = job_row(connection, claimed.job_id)
    assert (job["status"], job["finished_at"]) == ("running", None) and job["cancel_requested_at"] is not None


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled", "expired"])
def test_a_job_that_has_ended_keeps_its_status(connection: Connection, status: str) -> None:
    job_id = make_job(connection)
    connection.execute(text("UPDATE job SET status = :status, finished_at = now()"), {"status": status})
    assert request_cancel(connection, job_id) == status
    assert job_row(connection, job_id)["cancel_requested_at"] is None


def test_an_unknown_job_has_no_status(connection: Connection) -> None:
    assert request_cancel(connection, UUID(int=0)) is None


def test_a_job_that_is_handed_back_while_it_is_canceled_does_not_slip_through(database: Database) -> None:
    from inpaint_db.claims import AttemptReport, requeue

    with database.begin() as connection:
        claimed = make_running(connection)
    with ThreadPoolExecutor(1) as threads:
        with database.begin() as worker:
            assert requeue(worker, claimed, AttemptReport(), counts=False)

            def cancel() -> JobStatus | None:
                with database.begin() as connection:
                    return request_cancel(connection, claimed.job_id)

            answer = threads.submit(cancel)
            with database.read() as watcher:
                waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                while watcher.execute(waiting).scalar_one() == 0 and not answer.done():
                    watcher.rollback()
        assert answer.result(timeout=10) is JobStatus.CANCELED
