"""Jobs of a newer producer, with options that a worker does not know: they wait for one that does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from slow_jobs import SOURCE, attempts, ended, submit, until
from slow_worker import CARD, SlowWorker
from sqlalchemy import text

#: Column of the job's row, what a newer producer writes there, and the name that is new.
NEWER: dict[str, tuple[str, Any, str]] = {
    "an option": ("edit", {"outpaint": 3, "grow": 2}, "outpaint"),
    "a value": ("edit", {"format": "jxl"}, "format"),
    "a shape": ("mask_shapes", {"boxes": [[10, 10, 40, 30]], "circles": [[1, 2, 3]]}, "circles"),
    "a box of another kind": ("mask_shapes", {"boxes": [{"left": 1}]}, "boxes.0"),
}


def change(database: Database, job_id: UUID, column: str, value: Any) -> None:
    with database.begin() as connection:
        statement = text(f"UPDATE job SET {column} = CAST(:value AS jsonb) WHERE id = :id")
        connection.execute(statement, {"value": json.dumps(value), "id": job_id})


def test_they_go_back_to_their_queue_without_counting_as_failures_and_say_what_to_upgrade(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database
) -> None:
    jobs = {}
    for name, (column, value, _) in NEWER.items():
        jobs[name] = slow_client.submit(SOURCE, {"boxes": [[10, 10, 40, 30]]}, model=CARD.name, prompt="sleep 0.1").id
        change(database, jobs[name], column, value)
    plain = submit(slow_client, "sleep 0.1")
    start_slow()
    assert until(slow_client, plain, ended).status is JobStatus.SUCCEEDED
    for name, (column, _, unknown) in NEWER.items():
        view = until(slow_client, jobs[name], lambda view: view.status is JobStatus.QUEUED and view.attempt >= 1)
        assert (name, view.failures, view.error_code) == (name, 0, "worker_behind")
        assert f"it does not understand {unknown}" in str(view.error_message)
        assert "Upgrade the worker; the job waits for one that does." in str(view.error_message)
        assert {status for _, status in attempts(database, jobs[name])} == {"released"}
        # The worker that knows it, as far as a test can be one.
        change(database, jobs[name], column, {} if column == "edit" else {"boxes": [[10, 10, 40, 30]]})
    for job_id in jobs.values():
        assert until(slow_client, job_id, ended, relay).status is JobStatus.SUCCEEDED
