"""Texts of files that Postgres cannot hold, or that nobody wants to read: the end of an attempt is written anyway."""

from __future__ import annotations

from typing import Any

import pytest
from factories import encode, job_row, make_image, make_output, make_running, row
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, finish, requeue
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from processes import WorkerProcess
from profiles import grey_profile, renamed, rgb_profile, scanner_profile, spaced
from slow_jobs import LONG_S
from sqlalchemy import Connection, text

BOX = {"boxes": [[10, 10, 40, 30]]}
#: Half a character, and NUL.
BAD = "a\x00b\ud800c"


def report() -> AttemptReport:
    return AttemptReport(
        {"fetch_s": 1.0},
        parameters={"mode": BAD},
        normalised={BAD: {"before": BAD, "after": ["sRGB", {"deep": "\x00\udfff"}]}},
        warnings=[BAD, "plain"],
        windows=[{"box": [0, 0, 5, 5]}],
    )


def is_readable(attempt: dict[str, Any]) -> None:
    assert attempt["warnings"] == ["ab?c", "plain"] and attempt["parameters"] == {"mode": "ab?c"}
    assert attempt["normalised"] == {"ab?c": {"before": "ab?c", "after": ["sRGB", {"deep": "?"}]}}
    assert attempt["windows"] == [{"box": [0, 0, 5, 5]}] and attempt["fetch_s"] == 1.0


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED])
def test_a_job_ends_whatever_its_report_and_its_error_say(connection: Connection, status: JobStatus) -> None:
    claimed = make_running(connection)
    outputs = [make_output(claimed)] if status is JobStatus.SUCCEEDED else []
    assert finish(connection, claimed, status, report(), outputs, error_code="odd", error_message=f"It was {BAD}.")
    job = job_row(connection, claimed.job_id)
    assert (job["status"], job["error_code"], job["error_message"]) == (status.value, "odd", "It was ab?c.")
    is_readable(row(connection, "attempt", job_id=claimed.job_id))
    if outputs:
        assert row(connection, "output", job_id=claimed.job_id)["uri"] == outputs[0].uri


def test_a_job_goes_back_to_its_queue_whatever_they_say(connection: Connection) -> None:
    claimed = make_running(connection)
    assert requeue(connection, claimed, report(), counts=True, error_code="odd", error_message=BAD)
    job = job_row(connection, claimed.job_id)
    assert (job["status"], job["failures"], job["error_message"]) == ("queued", 1, "ab?c")
    is_readable(row(connection, "attempt", job_id=claimed.job_id))


def test_a_worker_ends_jobs_whose_profiles_have_names_that_cannot_be_stored(
    worker: WorkerProcess, client: InpaintClient, database: Database
) -> None:
    pictures = {
        "a space of NULs": encode(make_image(), icc_profile=spaced(rgb_profile(), b"\0\1\2\3")),
        "a space with a NUL": encode(make_image(mode="CMYK"), "JPEG", icc_profile=spaced(rgb_profile(), b"A\0B\0")),
        "an escape": encode(make_image(mode="L"), icc_profile=renamed(grey_profile(), "A\x1b[31mB")),
        "a NUL": encode(make_image(), icc_profile=renamed(scanner_profile(), "A\0B".encode("utf-16-be"))),
        "half a character": encode(make_image(mode="L"), icc_profile=renamed(grey_profile(), b"\0A\xd8\x00\0B")),
        "half a megabyte": encode(make_image(mode="L"), icc_profile=renamed(grey_profile(), "A" * 500_000)),
    }
    jobs = {name: client.submit(data, BOX, model="opencv-telea").id for name, data in pictures.items()}
    for name, view in zip(jobs, client.wait_many(list(jobs.values()), timeout_s=LONG_S), strict=True):
        assert (name, view.status, view.attempt) == (name, JobStatus.SUCCEEDED, 1), view.error_message
    with database.read() as connection:
        said = connection.execute(text("SELECT normalised, warnings FROM attempt")).all()
    assert len(said) == len(pictures)
    for normalised, warnings in said:
        names = list(normalised["profile"].values())
        assert [name for name in names if not name.isprintable() or len(name) > 100] == []
        assert [warning for warning in warnings if not warning.isprintable() or len(warning) > 200] == []
