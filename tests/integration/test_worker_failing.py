"""What goes wrong in and around a worker process, and what becomes of its jobs."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from factories import encode, make_image
from inpaint_core.ids import new_id
from inpaint_core.queues import WakeUp, make_celery, send_wake_ups
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from outages import Gate
from processes import WorkerProcess
from slow_jobs import LONG_S, MASK, SHORT_LEASE, SOURCE, attempts, ended, on_device, submit, until
from slow_worker import SlowWorker
from sqlalchemy import text


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

    def test_a_store_that_is_away_costs_no_attempt(
        self,
        start_slow: Callable[..., SlowWorker],
        slow_client: InpaintClient,
        relay: Relay,
        database: Database,
        settings: Settings,
        gate: Callable[[str], Gate],
    ) -> None:
        assert settings.s3_url
        door = gate(settings.s3_url)
        start_slow(INPAINT_S3_URL=door.url)
        door.shut()
        job_id = submit(slow_client, "sleep 0.1")
        view = until(slow_client, job_id, lambda view: view.status is JobStatus.QUEUED and view.attempt == 1)
        assert (view.failures, view.error_code) == (0, "storage_unavailable")
        door.open()
        assert until(slow_client, job_id, ended, relay).status is JobStatus.SUCCEEDED
        assert attempts(database, job_id)[0] == (1, "released")

    def test_a_worker_that_the_database_does_not_know_any_more_leaves(
        self, start_slow: Callable[..., SlowWorker], database: Database
    ) -> None:
        worker = start_slow()
        with database.begin() as connection:
            connection.execute(text("DELETE FROM worker"))
        assert worker.process.wait(LONG_S) == 70

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

    @pytest.mark.parametrize(("prompt", "status"), [("memory", "succeeded"), ("memory always", "failed")])
    def test_running_out_of_memory_is_tried_once_more_with_savers(
        self,
        start_slow: Callable[..., SlowWorker],
        slow_client: InpaintClient,
        relay: Relay,
        database: Database,
        prompt: str,
        status: str,
    ) -> None:
        start_slow()
        job_id = submit(slow_client, prompt)
        view = until(slow_client, job_id, ended, relay)
        assert view.status == status
        assert attempts(database, job_id) == [(1, "failed"), (2, status)]
        if status == "failed":
            assert view.error_code == "gpu_out_of_memory"

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
