"""A worker process that is about to end: no job may be claimed behind its back."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from factories import MODEL, make_worker
from inpaint_core.errors import ServiceUnavailable
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.claims import Claimed
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_worker.attempt import Attempt
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.leaving import leave
from inpaint_worker.pipelines import build_pipeline
from inpaint_worker.resident import Resident
from inpaint_worker.task import JobRunner
from slow_jobs import LONG_S, MASK, SOURCE, attempts


class Left(BaseException):
    """Instead of the end of the process, which also runs the tests."""


def test_a_job_that_is_being_claimed_goes_back_uncounted_and_no_other_is_claimed(
    settings: Settings, database: Database, store: S3Store, client: InpaintClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_status: int) -> None:
        raise Left

    claim, claimed, leaving, left = JobRunner._claim, threading.Event(), threading.Event(), threading.Event()

    def claim_slowly(runner: JobRunner, job_id: UUID) -> Claimed | None:
        found = claim(runner, job_id)
        claimed.set()
        assert leaving.wait(LONG_S)
        return found

    def stay(_runner: JobRunner, _attempt: Attempt) -> None:
        assert left.wait(LONG_S)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(JobRunner, "_claim", claim_slowly)
    monkeypatch.setattr(JobRunner, "_run", stay)
    with database.begin() as connection:
        worker = make_worker(connection)
    heartbeat = Heartbeat(settings, database, worker, lambda: None)
    pipeline = build_pipeline(client.catalogue.card(MODEL), settings)
    runner = JobRunner(settings, database, store, worker, Resident(pipeline), heartbeat)
    job_id, other = (client.submit(SOURCE, MASK, model=MODEL, seed=seed).id for seed in (1, 2))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(runner.run, job_id)
        assert claimed.wait(LONG_S)
        # The claim ends while the process is leaving already.
        threading.Timer(0.3, leaving.set).start()
        with pytest.raises(Left):
            leave(settings, database, heartbeat, 70)
        with pytest.raises(ServiceUnavailable, match="about to end"):
            runner.run(other)
        left.set()
        running.result(LONG_S)
    views = [client.get(each) for each in (job_id, other)]
    assert [(view.status, view.failures) for view in views] == [(JobStatus.QUEUED, 0)] * 2
    assert (attempts(database, job_id), attempts(database, other)) == ([(1, "released")], [])
