"""Following jobs through the client, and their results."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from factories import (
    make_image,
    make_mask,
    make_output,
    make_spec,
    make_worker,
    try_claim,
)
from inpaint_core.errors import (
    InvalidRequest,
    JobFailed,
    JobNotFound,
)
from inpaint_core.s3 import S3Store
from inpaint_core.status import JobStatus
from inpaint_db.claims import AttemptReport, Progress, finish, renew
from inpaint_db.queries import JobFilter
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from stored import complete

MODEL = "opencv-telea"


# --- following --------------------------------------------------------------------------------------------------------


def test_waiting_ends_when_the_job_does(client: InpaintClient, database: Database, store: S3Store) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    later = threading.Timer(0.3, complete, (database, store, job.id))
    later.start()
    started = time.monotonic()
    assert client.wait(job.id, timeout_s=10).status is JobStatus.SUCCEEDED
    assert time.monotonic() - started < 3
    later.join()


def test_waiting_gives_up_after_its_time(client: InpaintClient) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    with pytest.raises(TimeoutError, match=r"1 of 1 jobs have not ended after 0\.2 s"):
        client.wait(job.id, timeout_s=0.2)


def test_waiting_for_many_gives_them_in_the_order_asked(
    client: InpaintClient, database: Database, store: S3Store
) -> None:
    jobs = [job.id for job in client.submit_many([make_spec() for _ in range(3)])]
    for job_id in reversed(jobs):
        complete(database, store, job_id)
    assert [view.id for view in client.wait_many(jobs, timeout_s=5)] == jobs
    assert {job_id for job_id, _ in client.as_ended(jobs, timeout_s=5)} == set(jobs)
    assert client.wait_many([]) == []


@pytest.mark.parametrize("act", ["get", "wait", "cancel", "result_bytes"])
def test_an_unknown_job_is_a_sentence(client: InpaintClient, act: str) -> None:
    with pytest.raises(JobNotFound, match="There is no job"):
        getattr(client, act)(uuid4())
    with pytest.raises(InvalidRequest, match="is not a job id"):
        getattr(client, act)("seven")


def test_a_stream_tells_each_change_once(client: InpaintClient, database: Database, store: S3Store) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    views = client.stream(job.id, timeout_s=20)
    assert next(views).status is JobStatus.QUEUED
    with database.begin() as connection:
        worker = make_worker(connection)
        claimed = try_claim(connection, job.id, worker)
        assert claimed is not None
    assert next(views).status is JobStatus.RUNNING
    for step in (1, 2):
        with database.begin() as connection:
            renew(connection, worker.id, "ready", [Progress(job.id, 1, "infer", step, 2)], lease_s=60)
        view = next(views)
        assert (view.phase, view.steps_done, view.steps_total) == ("infer", step, 2)
    with database.begin() as connection:
        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
    assert [view.status for view in views] == [JobStatus.SUCCEEDED]


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def done(client: InpaintClient, database: Database, store: S3Store) -> UUID:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    complete(database, store, job.id, make_image(seed=5))
    return job.id


def test_a_result_is_the_picture_that_was_stored(client: InpaintClient, done: UUID) -> None:
    assert client.result(done).tobytes() == make_image(seed=5).tobytes()


def test_a_download_goes_to_a_file_or_into_a_folder(client: InpaintClient, done: UUID, tmp_path: Path) -> None:
    assert client.download(done, tmp_path / "edited.png") == tmp_path / "edited.png"
    assert client.download(done, tmp_path) == tmp_path / f"{done}.png"
    assert (tmp_path / "edited.png").read_bytes() == (tmp_path / f"{done}.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["edited.png", f"{done}.png"])


def test_a_download_that_breaks_off_leaves_the_old_file_and_no_other(
    client: InpaintClient, done: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "edited.png"
    target.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        client.download(done, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_replaces_a_file_in_one_step(client: InpaintClient, done: UUID, tmp_path: Path) -> None:
    target = tmp_path / "edited.png"
    target.write_bytes(b"old")
    with target.open("rb") as reading:
        client.download(done, target)
        # Whoever had it open goes on reading the old one: nothing was written into it.
        assert reading.read() == b"old"
    assert target.read_bytes() == client.result_bytes(done)


def test_a_job_without_a_result_says_why(client: InpaintClient, database: Database) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    with pytest.raises(JobFailed, match="is queued and has no output yet"):
        client.result(job.id)
    with database.begin() as connection:
        claimed = try_claim(connection, job.id, make_worker(connection))
        assert claimed is not None
        finish(connection, claimed, JobStatus.FAILED, AttemptReport(), error_code="mask_empty", error_message="Paint.")
    with pytest.raises(JobFailed, match=rf"Job {job.id} failed \(mask_empty\): Paint\.") as caught:
        client.result(job.id)
    assert caught.value.exit_code == 5


def test_a_job_is_canceled_retried_and_listed(client: InpaintClient) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL, campaign="spring")
    assert client.cancel(job.id) is JobStatus.CANCELED
    assert client.get(job.id).status is JobStatus.CANCELED
    with pytest.raises(JobFailed, match="is canceled and has no output"):
        client.result(job.id)
    assert client.retry([job.id]) == [job.id]
    assert [view.status for view in client.list_jobs(JobFilter(campaign="spring"))] == [JobStatus.QUEUED]
