"""Back to the schema before guides and several outputs: no job runs without what guided it, and no result is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from factories import (
    job_row,
    make_facts,
    make_job,
    make_output,
    make_request,
    make_running,
    make_worker,
    row,
    try_claim,
)
from inpaint_core.catalogue import load_catalogue
from inpaint_core.ids import new_id
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.migrate import downgrade, upgrade
from inpaint_db.queries import get_job, job_outputs, retry_jobs
from inpaint_db.retention import EVERYTHING, left_over, unused_images
from inpaint_db.session import Database
from inpaint_db.submissions import NewJob, insert_images, insert_jobs, register_models, request_cancel
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

BEFORE = "20261125_03"
IMAGE = "s3://inpaint/in/guide.png"
GUIDED: list[dict[str, Any]] = [
    {"outputs": 3},
    {"reference_image": IMAGE, "reference_strength": 0.5},
    {"control_image": IMAGE, "control_type": "depth", "control_strength": 1.5},
]


@pytest.fixture
def live(empty_database: Settings) -> Iterator[Database]:
    """A database of the newest schema."""
    upgrade(empty_database)
    with Database(empty_database, application="inpaint-test") as database:
        yield database


def statuses(database: Database) -> dict[UUID, str]:
    with database.read() as connection:
        return {row.id: row.status for row in connection.execute(text("SELECT id, status FROM job"))}


def succeeded(connection: Connection, **fields: Any) -> UUID:
    claimed = make_running(connection, **fields)
    first = [make_output(claimed), make_output(claimed, "region"), make_output(claimed, "raw")]
    more = [
        replace(output, number=number, uri=output.uri.replace(output.kind, f"{number}-{output.kind}"))
        for number in range(2, claimed.outputs + 1)
        for output in (first[0], first[2])
    ]
    assert finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [*first, *more])
    return claimed.job_id


def test_jobs_that_wait_or_run_fail_and_stay_so_whatever_is_tried(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        waiting = [make_job(connection, **fields) for fields in GUIDED]
        running = [make_running(connection, **fields) for fields in GUIDED]
        for claimed in running[:1]:  # its cancel is on its way
            request_cancel(connection, claimed.job_id)
        canceled = make_job(connection, **GUIDED[1])
        request_cancel(connection, canceled)
        plain, plain_running = make_job(connection), make_running(connection)
    downgrade(empty_database, BEFORE)
    gone = [*waiting, *(claimed.job_id for claimed in running), canceled]
    wanted = dict.fromkeys(gone, "failed") | {plain: "queued", plain_running.job_id: "running"}
    assert statuses(live) == wanted
    with live.read() as connection:
        for job_id in gone:
            job = job_row(connection, job_id)
            assert (job["error_code"], job["source_uri"], job["worker_id"]) == ("schema_behind", None, None)
            assert "Submit it again." in job["error_message"]
        for claimed in running:
            assert row(connection, "attempt", job_id=claimed.job_id)["status"] == "lost"
    upgrade(empty_database)
    assert statuses(live) == wanted
    with live.begin() as connection:
        assert retry_jobs(connection, gone) == []
        worker = make_worker(connection)
        assert [try_claim(connection, job_id, worker) for job_id in gone] == [None] * len(gone)
        for claimed in running:
            assert not finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
        assert get_job(connection, plain).outputs == 1
        assert try_claim(connection, plain, worker) is not None
        assert finish(connection, plain_running, JobStatus.SUCCEEDED, AttemptReport(), [make_output(plain_running)])


def test_what_succeeded_keeps_its_first_output_and_further_ones_become_left_over(
    live: Database, empty_database: Settings
) -> None:
    with live.begin() as connection:
        jobs = [succeeded(connection, **fields) for fields in GUIDED]
        plain = succeeded(connection)
    downgrade(empty_database, BEFORE)
    assert statuses(live) == dict.fromkeys([*jobs, plain], "succeeded")
    with live.read() as connection:
        kinds = connection.execute(text("SELECT job_id, kind FROM output")).all()
    assert {(row.job_id, row.kind) for row in kinds} == {
        (job_id, kind) for job_id in (*jobs, plain) for kind in ("result", "region", "raw")
    }
    assert len(kinds) == 12
    upgrade(empty_database)
    with live.begin() as connection:
        for job_id in (*jobs, plain):
            assert set(job_outputs(connection, job_id)) == {"result", "region", "raw"}
            assert get_job(connection, job_id).outputs == 1
        second = f"s3://inpaint/outputs/{jobs[0]}/1/2-result.png"
        assert left_over(connection, [(second, jobs[0], 1)]) == {second: True}
        # And the schema takes several again.
        several = succeeded(connection, outputs=8)
        assert set(job_outputs(connection, several, 8)) == {"result", "region", "raw"}


def test_there_and_back_the_schema_is_the_same(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        for fields in GUIDED:
            succeeded(connection, **fields)

    def schema() -> list[Any]:
        with live.read() as connection:
            return [
                connection.execute(text(statement)).all()
                for statement in (
                    """SELECT table_name, column_name, data_type, is_nullable, column_default
                         FROM information_schema.columns
                        WHERE table_name IN ('job', 'output', 'job_report', 'attempt_cost')
                        ORDER BY table_name, column_name""",
                    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('job', 'output') ORDER BY 1",
                    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
                        WHERE conrelid IN ('job'::regclass, 'output'::regclass) ORDER BY 1""",
                )
            ]

    before = schema()
    downgrade(empty_database, BEFORE)
    assert schema() != before
    upgrade(empty_database)
    assert schema() == before


def test_the_database_refuses_guides_that_are_half_there(connection: Connection) -> None:
    job_id = make_job(connection, reference_image=IMAGE, control_image=IMAGE, control_type="depth")
    for change in (
        "outputs = 0", "control_type = NULL", "control_uri = NULL", "reference_uri = NULL, reference_strength = 1",
        "control_uri = NULL, control_type = NULL, control_strength = 1", f"reference_sha256 = '{'0' * 64}'",
    ):  # fmt: skip
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(text(f"UPDATE job SET {change} WHERE id = :id"), {"id": job_id})


def test_an_image_that_a_guide_named_is_free_after_the_way_down(live: Database, empty_database: Settings) -> None:
    with live.begin() as connection:
        facts = make_facts("guide")
        request = make_request(reference_image=IMAGE)
        register_models(connection, [load_catalogue().card(request.model)])
        insert_images(connection, [facts])
        insert_jobs(connection, [NewJob(new_id(), request, reference_sha256=facts.sha256)], max_attempts=3)
        connection.execute(text("UPDATE image SET last_used_at = now() - interval '10 days'"))
        assert unused_images(connection, "", EVERYTHING, grace_s=60, limit=9)[1] == []
    downgrade(empty_database, BEFORE)
    upgrade(empty_database)
    with live.begin() as connection:
        assert unused_images(connection, "", EVERYTHING, grace_s=60, limit=9)[1] == [facts.sha256]
