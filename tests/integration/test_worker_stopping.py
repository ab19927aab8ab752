"""Cancel, deadline and SIGTERM: what a worker process does with wishes to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.queries import list_workers
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from slow_jobs import LONG_S, attempts, ended, on_device, submit, until
from slow_worker import SlowWorker


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

    def test_sigterm_ends_a_worker_that_is_still_loading(
        self, stack_env: dict[str, str], settings: Settings, database: Database, tmp_path: Path
    ) -> None:
        pytest.importorskip("torch", reason="comes with the extra 'diffusers'")
        worker = SlowWorker({**stack_env, "SLOW_LOAD": "1"}, settings, tmp_path / "worker.log")
        try:
            deadline = time.monotonic() + LONG_S
            while "libtorch_cpu" not in Path(f"/proc/{worker.pid}/maps").read_text():
                assert time.monotonic() < deadline, worker.tail()
                time.sleep(0.05)
            time.sleep(1)  # it is imported; then it computes
            assert worker.stop() == 0, worker.tail()
        finally:
            worker.kill()
        assert "worker_stopped" in worker.tail() and "terminate called" not in worker.tail()
        with database.read() as connection:
            assert list_workers(connection, live_s=30) == []

    def test_says_in_the_worker_table_that_it_has_stopped(
        self, start_slow: Callable[..., SlowWorker], database: Database
    ) -> None:
        worker = start_slow()
        with database.read() as connection:
            assert [w.state for w in list_workers(connection, live_s=30)] == ["ready"]
        worker.stop()
        with database.read() as connection:
            assert list_workers(connection, live_s=30) == []
