"""Back to the schema before options and masks without a picture: no job may run as something that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from factories import job_row, make_job, make_output, make_running, make_worker, row, try_claim
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.migrate import downgrade, upgrade
from inpaint_db.queries import retry_jobs
from inpaint_db.session import Database
from sqlalchemy import Connection, text

BEFORE = "20261122_02"
SHAPES = {"boxes": [[10, 10, 40, 30]]}


@pytest.fixture
def live(empty_database: Settings) -> Iterator[Database]:
    """A database of the newest schema."""
    upgrade(empty_database)
    with Database(empty_database, application="inpaint-test") as database:
        yield database


def ended(connection: Connection, status: JobStatus, **fields: Any) -> UUID:
    claimed = make_running(connection, **fields)
    outputs = [make_output(claimed), make_output(claimed, "region")] if status is JobStatus.SUCCEEDED else []
    assert finish(connection, claimed, status, AttemptReport(), outputs)
    return claimed.job_id


def statuses(database: Database) -> dict[UUID, str]:
    with database.read() as connection:
        return {row.id: row.status for row in connection.execute(text("SELECT id, status FROM job"))}


def test_jobs_that_wait_or_run_with_what_the_old_schema_cannot_say_fail_and_stay_so(
    live: Database, empty_database: Settings
) -> None:
    with live.begin() as connection:
        unspeakable = [
            make_job(connection, edit={"polarity": "black"}),
            make_job(connection, mask="alpha"),
            make_job(connection, mask=SHAPES),
        ]
        running = make_running(connection, edit={"grow": 3})
        unspeakable.append(running.job_id)
        plain, plain_running = make_job(connection), make_running(connection)
    downgrade(empty_database, BEFORE)
    wanted = dict.fromkeys(unspeakable, "failed") | {plain: "queued", plain_running.job_id: "running"}
    assert statuses(live) == wanted
    with live.read() as connection:
        for job_id in unspeakable:
            job = job_row(connection, job_id)
            assert (job["error_code"], job["lease_until"], job["worker_id"]) == ("schema_behind", None, None)
            assert "knows no such options. Submit it again." in job["error_message"]
        assert row(connection, "attempt", job_id=running.job_id)["status"] == "lost"
        assert row(connection, "attempt", job_id=plain_running.job_id)["status"] == "running"
    upgrade(empty_database)
    assert statuses(live) == wanted
    with live.begin() as connection:
        worker = make_worker(connection)
        assert [try_claim(connection, job_id, worker) for job_id in unspeakable] == [None] * 4
        assert try_claim(connection, plain, worker) is not None
        assert not finish(connection, running, JobStatus.SUCCEEDED, AttemptReport(), [make_output(running)])
        assert finish(connection, plain_running, JobStatus.SUCCEEDED, AttemptReport(), [make_output(plain_running)])


def test_what_ended_is_kept_as_far_as_the_old_schema_can_say_it(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        gone = [ended(connection, JobStatus.SUCCEEDED, mask=mask) for mask in ("alpha", SHAPES)]
        canceled = [ended(connection, JobStatus.CANCELED, mask=mask) for mask in ("alpha", SHAPES)]
        plain, grown = ended(connection, JobStatus.SUCCEEDED), ended(connection, JobStatus.SUCCEEDED, edit={"grow": 3})
        failed = ended(connection, JobStatus.FAILED, mask="alpha")
    downgrade(empty_database, BEFORE)
    kept = {plain: "succeeded", grown: "succeeded", failed: "failed"} | dict.fromkeys(canceled, "failed")
    assert statuses(live) == kept and not set(gone) & set(kept)
    with live.read() as connection:
        assert row(connection, "output", job_id=plain)["kind"] == "result"
    upgrade(empty_database)
    assert statuses(live) == kept


def test_no_retry_brings_back_what_the_old_schema_could_not_say(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        edit = {"polarity": "black"}
        jobs = [
            make_job(connection, edit=edit),
            make_job(connection, mask="alpha"),
            ended(connection, JobStatus.CANCELED, edit=edit),
            ended(connection, JobStatus.FAILED, edit=edit),
        ]
    downgrade(empty_database, BEFORE)
    upgrade(empty_database)
    with live.begin() as connection:
        assert retry_jobs(connection, jobs) == []
