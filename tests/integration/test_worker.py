"""A worker process on real servers: what it does with jobs, with wishes to stop, and with what goes wrong."""

from __future__ import annotations

import io
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from factories import encode, make_image, make_mask
from inpaint_core.ids import new_id
from inpaint_core.queues import WakeUp, make_celery, send_wake_ups
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.queries import JobView, list_workers
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from outages import closed_port
from PIL import Image
from processes import WorkerProcess
from slow_worker import CARD, CATALOGUE, SlowWorker
from sqlalchemy import text

SOURCE = make_image(120, 80)
MASK = make_mask(120, 80)
LONG_S = 30
#: For tests that have to wait until a lease has run out.
SHORT_LEASE = {"INPAINT_LEASE_S": "2", "INPAINT_HEARTBEAT_S": "0.5"}


@pytest.fixture
def slow_client(settings: Settings) -> Iterator[InpaintClient]:
    """A client that knows the model of the slow worker."""
    with InpaintClient(settings, catalogue=CATALOGUE) as client:
        yield client


@pytest.fixture
def start_slow(stack_env: dict[str, str], settings: Settings, tmp_path: Path) -> Iterator[Callable[..., SlowWorker]]:
    """Start slow workers; all are stopped at the end."""
    started: list[SlowWorker] = []

    def start(**variables: str) -> SlowWorker:
        worker = SlowWorker({**stack_env, **variables}, settings, tmp_path / f"slow-{len(started)}.log")
        started.append(worker)
        worker.wait_ready()
        return worker

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    """A relay that sweeps when a test says so."""
    relay = Relay(settings, CATALOGUE)
    yield relay
    relay.close()


def submit(client: InpaintClient, prompt: str, **fields: object) -> UUID:
    """Submit a job that does what the prompt says."""
    return client.submit(SOURCE, MASK, model=CARD.name, prompt=prompt, **fields).id  # type: ignore[arg-type]


def until(client: InpaintClient, job_id: UUID, good: Callable[[JobView], bool], relay: Relay | None = None) -> JobView:
    """Wait until the job looks as it should, sweeping meanwhile if there is a relay."""
    deadline = time.monotonic() + LONG_S
    while not good(view := client.get(job_id)):
        assert time.monotonic() < deadline, f"the job is still {view}"
        if relay:
            relay.sweep()
        time.sleep(0.05)
    return view


def on_device(view: JobView) -> bool:
    """The pipeline has begun with the job."""
    return view.phase == "inference" and view.steps_total is not None


def ended(view: JobView) -> bool:
    """The job has a final status."""
    return view.status.is_final


def attempts(database: Database, job_id: UUID) -> list[tuple[int, str]]:
    """Number and status of all attempts of a job."""
    with database.read() as connection:
        statement = text("SELECT number, status FROM attempt WHERE job_id = :id ORDER BY number")
        return [(row.number, row.status) for row in connection.execute(statement, {"id": job_id})]


class TestAJob:
    def test_is_repainted_inside_the_mask_and_kept_outside_bit_for_bit(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient
    ) -> None:
        start_slow()
        job_id = submit(slow_client, "sleep 0.1")
        assert slow_client.wait(job_id, timeout_s=LONG_S).status is JobStatus.SUCCEEDED
        result, source = np.asarray(slow_client.result(job_id)), np.asarray(SOURCE)
        region = np.asarray(MASK) > 0
        assert np.array_equal(result[~region], source[~region])
        assert np.array_equal(result[region], 255 - source[region])

    def test_leaves_its_seconds_memory_seed_and_output_in_the_database(
        self, worker: WorkerProcess, client: InpaintClient, database: Database
    ) -> None:
        job_id = client.submit(SOURCE, MASK, model="opencv-telea", parameters={"radius": 3}).id
        view = client.wait(job_id, timeout_s=LONG_S)
        assert view.status is JobStatus.SUCCEEDED
        assert set(view.seconds) == {
            "queue_wait_s", "fetch_s", "prepare_s", "gpu_wait_s", "inference_s", "composite_s", "encode_s", "store_s"
        }  # fmt: skip
        assert all(seconds >= 0 for seconds in view.seconds.values())
        assert view.peak_memory_bytes and view.peak_memory_bytes > 10_000_000
        with database.read() as connection:
            attempt = connection.execute(text("SELECT * FROM attempt")).mappings().one()
            output = connection.execute(text("SELECT * FROM output")).mappings().one()
        assert attempt["parameters"] == {"radius": 3}
        assert attempt["peak_memory_kind"] == "process_rss"
        assert attempt["first_after_load"] is True
        assert attempt["seed"] == view.seed
        assert (output["width"], output["height"]) == (120, 80)
        assert len(client.result_bytes(job_id)) == output["size_bytes"]

    def test_keeps_transparency_and_size_of_an_rgba_source(self, worker: WorkerProcess, client: InpaintClient) -> None:
        source = make_image(90, 70).convert("RGBA")
        source.putalpha(make_image(90, 70, "L", seed=3))
        job_id = client.submit(source, make_mask(90, 70), model="opencv-ns").id
        client.cancel(job_id)
        job_id = client.submit(source, make_mask(90, 70), model="opencv-telea").id
        assert client.wait(job_id, timeout_s=LONG_S).status is JobStatus.SUCCEEDED
        result = client.result(job_id)
        assert result.mode == "RGBA"
        assert np.array_equal(np.asarray(result)[..., 3], np.asarray(source)[..., 3])

    def test_is_done_once_however_often_its_message_comes(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, settings: Settings, database: Database
    ) -> None:
        start_slow()
        start_slow()
        job_id = submit(slow_client, "sleep 0.5")
        with make_celery(settings, [CARD.name], for_producer=True) as app:
            send_wake_ups(app, [WakeUp(job_id, CARD.name) for _ in range(10)])
        slow_client.wait(job_id, timeout_s=LONG_S)
        time.sleep(0.5)
        assert attempts(database, job_id) == [(1, "succeeded")]

    def test_overlaps_with_its_neighbour_but_not_on_the_device(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        start_slow()
        ids = [submit(slow_client, "sleep 0.5") for _ in range(4)]
        views = slow_client.wait_many(ids, timeout_s=LONG_S)
        assert {view.status for view in views} == {JobStatus.SUCCEEDED}
        assert sum(view.seconds["gpu_wait_s"] > 0.2 for view in views) >= 2


class TestStopping:
    def test_a_running_job_is_canceled_within_a_step_and_a_heartbeat(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        start_slow()
        job_id = submit(slow_client, "sleep 60")
        view = until(slow_client, job_id, on_device)
        assert view.steps_total == 1200
        assert slow_client.cancel(job_id) is JobStatus.RUNNING
        assert until(slow_client, job_id, ended).status is JobStatus.CANCELED
        assert attempts(database, job_id) == [(1, "canceled")]
        after = submit(slow_client, "sleep 0.1")
        assert slow_client.wait(after, timeout_s=LONG_S).status is JobStatus.SUCCEEDED

    def test_a_running_job_expires_at_its_deadline(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient
    ) -> None:
        start_slow()
        job_id = submit(slow_client, "sleep 60", deadline=datetime.now(UTC) + timedelta(seconds=2))
        view = until(slow_client, job_id, ended)
        assert view.status is JobStatus.EXPIRED
        assert view.error_code == "deadline_passed"

    def test_sigterm_lets_the_running_job_end_and_hands_back_the_others(
        self,
        start_slow: Callable[..., SlowWorker],
        slow_client: InpaintClient,
        relay: Relay,
        database: Database,
    ) -> None:
        first = start_slow()
        ids = [submit(slow_client, "sleep 2") for _ in range(2)]
        deadline = time.monotonic() + LONG_S
        while {slow_client.get(i).phase for i in ids} != {"inference", "gpu_wait"}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert first.stop() == 0
        views = [slow_client.get(i) for i in ids]
        assert sorted(view.status.value for view in views) == ["queued", "succeeded"]
        waiting = next(view for view in views if view.status is JobStatus.QUEUED)
        assert attempts(database, waiting.id) == [(1, "released")]
        assert waiting.failures == 0
        start_slow()
        assert until(slow_client, waiting.id, ended, relay).status is JobStatus.SUCCEEDED

    def test_sigterm_hands_a_job_back_that_does_not_fit_the_grace_period(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        worker = start_slow(INPAINT_GRACE_S="1")
        job_id = submit(slow_client, "sleep 60")
        until(slow_client, job_id, on_device)
        assert worker.stop() == 0
        assert slow_client.get(job_id).status is JobStatus.QUEUED
        assert attempts(database, job_id) == [(1, "released")]

    def test_sigterm_leaves_a_call_behind_that_does_not_return(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        worker = start_slow(INPAINT_GRACE_S="1")
        job_id = submit(slow_client, "hang")
        until(slow_client, job_id, lambda view: view.phase == "inference")
        assert worker.stop() == 0
        assert attempts(database, job_id) == [(1, "released")]

    def test_says_in_the_worker_table_that_it_has_stopped(
        self, start_slow: Callable[..., SlowWorker], database: Database
    ) -> None:
        worker = start_slow()
        with database.read() as connection:
            assert [w.state for w in list_workers(connection, live_s=30)] == ["ready"]
        worker.stop()
        with database.read() as connection:
            assert list_workers(connection, live_s=30) == []


class TestFailing:
    def test_a_killed_workers_job_is_done_by_another(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
    ) -> None:
        first = start_slow(**SHORT_LEASE)
        job_id = submit(slow_client, "sleep 1")
        until(slow_client, job_id, on_device)
        first.kill()
        start_slow()
        assert until(slow_client, job_id, ended, relay).status is JobStatus.SUCCEEDED
        assert attempts(database, job_id) == [(1, "lost"), (2, "succeeded")]

    def test_a_frozen_worker_that_comes_back_is_fenced_off(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
    ) -> None:
        first = start_slow(**SHORT_LEASE)
        job_id = submit(slow_client, "sleep 3")
        until(slow_client, job_id, on_device)
        first.process.send_signal(signal.SIGSTOP)
        start_slow()
        try:
            until(slow_client, job_id, lambda view: view.attempt == 2, relay)
        finally:
            first.process.send_signal(signal.SIGCONT)
        view = until(slow_client, job_id, ended, relay)
        assert view.status is JobStatus.SUCCEEDED
        assert view.output_uri and f"/{job_id}/2/" in view.output_uri
        assert attempts(database, job_id) == [(1, "lost"), (2, "succeeded")]

    def test_what_a_library_raises_is_tried_again_and_then_failed_with_its_words(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
    ) -> None:
        worker = start_slow()
        job_id = submit(slow_client, "raise")
        view = until(slow_client, job_id, ended, relay)
        assert view.status is JobStatus.FAILED
        assert view.error_message and "the model library is unhappy" in view.error_message
        assert attempts(database, job_id) == [(1, "failed"), (2, "failed"), (3, "failed")]
        assert worker.process.poll() is None

    def test_a_job_that_kills_its_workers_is_failed_after_max_attempts(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
    ) -> None:
        job_id = submit(slow_client, "die")
        for number in (1, 2, 3):
            worker = start_slow(**SHORT_LEASE)
            worker.process.wait(LONG_S)
            until(slow_client, job_id, lambda view, n=number: view.failures == n, relay)
        view = slow_client.get(job_id)
        assert view.status is JobStatus.FAILED
        assert view.error_code == "worker_lost"

    def test_a_step_that_hangs_ends_the_process_and_gives_the_job_back(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        worker = start_slow(INPAINT_STEP_TIMEOUT_S="1")
        job_id = submit(slow_client, "hang")
        assert worker.process.wait(LONG_S) == 70
        view = slow_client.get(job_id)
        assert view.status is JobStatus.QUEUED
        assert view.error_code == "step_hung"
        assert attempts(database, job_id) == [(1, "failed")]

    def test_a_broken_device_ends_the_process_and_gives_both_jobs_back(
        self, start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, database: Database
    ) -> None:
        busy = submit(slow_client, "sleep 4")
        worker = start_slow()
        until(slow_client, busy, on_device)
        broken = submit(slow_client, "break")
        until(slow_client, broken, lambda view: view.phase == "gpu_wait")
        waiting = submit(slow_client, "sleep 60")
        assert worker.process.wait(LONG_S) == 70
        assert [slow_client.get(i).status.value for i in (busy, broken, waiting)] == ["succeeded", "queued", "queued"]
        assert slow_client.get(broken).error_code == "gpu_context_broken"
        assert slow_client.get(broken).failures == 1
        assert slow_client.get(waiting).failures == 0

    def test_an_input_that_was_changed_fails_the_job_with_a_remedy(
        self, start_worker: Callable[..., WorkerProcess], client: InpaintClient, settings: Settings
    ) -> None:
        client.store.put(ObjectRef(settings.s3_bucket, "in/room.png"), encode(SOURCE), "image/png")
        uri = f"s3://{settings.s3_bucket}/in/room.png"
        job_id = client.submit(uri, MASK, model="opencv-telea").id
        client.store.put(ObjectRef(settings.s3_bucket, "in/room.png"), encode(make_image(seed=9)), "image/png")
        start_worker()
        view = client.wait(job_id, timeout_s=LONG_S)
        assert (view.status, view.error_code) == (JobStatus.FAILED, "object_changed")

    def test_an_input_that_is_gone_fails_the_job(
        self, start_worker: Callable[..., WorkerProcess], client: InpaintClient
    ) -> None:
        job_id = client.submit(SOURCE, MASK, model="opencv-telea").id
        client.store.delete(ObjectRef.parse(str(client.get(job_id).mask_uri)))
        start_worker()
        view = client.wait(job_id, timeout_s=LONG_S)
        assert (view.status, view.error_code) == (JobStatus.FAILED, "object_not_found")

    def test_a_message_in_the_wrong_queue_touches_nothing(
        self, worker: WorkerProcess, client: InpaintClient, settings: Settings
    ) -> None:
        job_id = client.submit(SOURCE, MASK, model="opencv-ns").id
        with make_celery(settings, ["opencv-telea"], for_producer=True) as app:
            send_wake_ups(app, [WakeUp(job_id, "opencv-telea"), WakeUp(new_id(), "opencv-telea")])
        after = client.submit(SOURCE, MASK, model="opencv-telea").id
        assert client.wait(after, timeout_s=LONG_S).status is JobStatus.SUCCEEDED
        assert client.get(job_id).status is JobStatus.QUEUED


class TestHealth:
    def test_ready_when_the_model_is_warm_and_silent_about_jobs(self, start_slow: Callable[..., SlowWorker]) -> None:
        port = closed_port()
        start_slow(INPAINT_HEALTH_PORT=str(port))
        for page in ("healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
                assert json.load(answer) == {"ok": True}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/jobs", timeout=5)
        refused.value.close()
        assert refused.value.code == 404


def test_the_output_is_a_png_that_carries_the_sources_colour_profile(
    worker: WorkerProcess, client: InpaintClient
) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    job_id = client.submit(encode(SOURCE, "JPEG", icc_profile=profile), MASK, model="opencv-telea").id
    client.wait(job_id, timeout_s=LONG_S)
    with Image.open(io.BytesIO(client.result_bytes(job_id))) as result:
        assert result.format == "PNG"
        assert result.info["icc_profile"] == profile
