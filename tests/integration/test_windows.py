"""Jobs of several windows: progress, a cancel between two of them, and a store that is away amid their objects."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from factories import MODEL, make_image, make_worker
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import AccessDenied, InpaintError, StorageUnavailable
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.queries import job_outputs
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.pipelines import Edit
from inpaint_worker.resident import Resident
from inpaint_worker.task import JobRunner
from PIL import Image
from slow_jobs import LONG_S, attempts, on_device, until
from slow_worker import CARD, STEP_S, SlowWorker
from sqlalchemy import text
from stored import objects

SOURCE = make_image(900, 600)
FAR = {"boxes": [[10, 10, 40, 30], [850, 560, 880, 590]]}
KINDS = ["raw", "raw-2", "region", "result"]


def submit(client: InpaintClient, model: str, prompt: str = "") -> UUID:
    """A job of two windows that keeps everything."""
    return client.submit(SOURCE, FAR, model=model, prompt=prompt, edit={"keep_raw": True}).id


def is_whole(job_id: UUID, client: InpaintClient, database: Database, store: S3Store, number: int = 1) -> None:
    """All four objects are those of one attempt, and what their rows say."""
    with database.read() as connection:
        outputs = job_outputs(connection, job_id)
        rows = connection.execute(text("SELECT attempt, uri, sha256 FROM output")).all()
    assert sorted(outputs) == KINDS
    assert {row.attempt for row in rows} == {number}
    assert {row.uri for row in rows} == set(outputs.values())
    for row in rows:
        assert hashlib.sha256(store.get(ObjectRef.parse(row.uri), 1 << 24)).hexdigest() == row.sha256
    region = np.zeros((600, 900), bool)
    for left, top, right, bottom in FAR["boxes"]:
        region[top:bottom, left:right] = True
    result, source = np.asarray(client.result(job_id)), np.asarray(SOURCE)
    assert np.array_equal(result[region], 255 - source[region])
    assert np.array_equal(result[~region], source[~region])


def test_progress_counts_all_windows_and_each_raw_output_is_stored(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database, store: S3Store
) -> None:
    start_slow()
    job_id = submit(slow_client, CARD.name, "sleep 1")
    steps = 2 * int(1 / STEP_S)
    view = until(slow_client, job_id, on_device)
    assert view.steps_total == steps and view.steps_done is not None and view.steps_done < steps
    view = slow_client.wait(job_id, timeout_s=LONG_S)
    assert view.status is JobStatus.SUCCEEDED and (view.steps_done, view.steps_total) == (steps, steps)
    is_whole(job_id, slow_client, database, store)
    assert view.windows is not None and len(view.windows) == 2
    for kind, window in zip(("raw", "raw-2"), view.windows, strict=True):
        with Image.open(io.BytesIO(slow_client.result_bytes(job_id, kind=kind))) as raw:
            assert list(raw.size) == window["size"]
            left, top, right, bottom = window["box"]
            assert np.array_equal(np.asarray(raw), 255 - np.asarray(SOURCE)[top:bottom, left:right])
    assert view.seconds["inference_s"] > 1.9


# --- with a worker's parts in this process, so that a test can step in between ----------------------------------------


class Inverting:
    """Inverts what it is shown, without a step in which it could be stopped."""

    card = load_catalogue().card(MODEL)

    def __init__(self) -> None:
        self.calls = 0
        self.after_each: Callable[[], None] = lambda: None

    def load(self) -> None:
        """Nothing to load."""

    def warm(self) -> None:
        """Nothing to warm."""

    def run(self, edit: Edit, _on_step: Any) -> Any:
        """One call that nothing interrupts."""
        self.calls += 1
        painted = 255 - edit.image
        self.after_each()
        return painted


class FailingOnce(S3Store):
    """A store in which the put after so many does not work."""

    error: InpaintError | None = None
    after = 0

    def put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        """Store it, or fail."""
        self.after -= 1
        if self.after < 0 and (error := self.error):
            self.error = None
            raise error
        super().put(ref, data, content_type)


class Parts:
    """What a worker is made of."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.pipeline, self.store = Inverting(), FailingOnce(settings)
        with database.begin() as connection:
            worker = make_worker(connection)
        self.heartbeat = Heartbeat(settings, database, worker, lambda: None)
        self.runner = JobRunner(settings, database, self.store, worker, Resident(self.pipeline), self.heartbeat)


@pytest.fixture
def parts(settings: Settings, database: Database) -> Iterator[Parts]:
    """A worker in this process, whose heart beats quickly."""
    parts = Parts(settings.model_copy(update={"heartbeat_s": 0.1}), database)
    parts.heartbeat.start()
    yield parts
    parts.heartbeat.stop()


def test_a_cancel_between_two_windows_ends_the_job_before_the_second(
    parts: Parts, client: InpaintClient, database: Database, store: S3Store
) -> None:
    job_id = submit(client, MODEL)

    def cancel() -> None:
        assert client.cancel(job_id) is JobStatus.RUNNING
        [attempt] = parts.heartbeat.running()
        deadline = time.monotonic() + LONG_S
        while attempt.stopped is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    parts.pipeline.after_each = cancel
    parts.runner.run(job_id)
    assert client.get(job_id).status is JobStatus.CANCELED and parts.pipeline.calls == 1
    assert attempts(database, job_id) == [(1, "canceled")]
    assert not [key for key in objects(store) if key.startswith("outputs/")]


def test_a_store_that_is_away_amid_the_objects_of_a_job_gets_the_rest_when_it_is_back(
    parts: Parts, client: InpaintClient, database: Database, store: S3Store
) -> None:
    job_id = submit(client, MODEL)
    parts.store.error, parts.store.after = StorageUnavailable("The store does not answer."), 1
    parts.runner.run(job_id)
    assert client.get(job_id).status is JobStatus.SUCCEEDED and parts.pipeline.calls == 2
    is_whole(job_id, client, database, store)


def test_after_a_refusal_amid_them_the_next_attempt_stores_a_set_of_its_own(
    parts: Parts, client: InpaintClient, database: Database, store: S3Store
) -> None:
    job_id = submit(client, MODEL)
    parts.store.error, parts.store.after = AccessDenied("The keys are not accepted."), 2
    parts.runner.run(job_id)
    view = client.get(job_id)
    assert (view.status, view.failures, view.error_code) == (JobStatus.QUEUED, 0, "access_denied")
    assert len([key for key in objects(store) if f"/{job_id}/1/" in key]) == 2
    with database.begin() as connection:
        connection.execute(text("UPDATE job SET not_before = now()"))
    parts.runner.run(job_id)
    assert attempts(database, job_id) == [(1, "released"), (2, "succeeded")]
    is_whole(job_id, client, database, store, number=2)
