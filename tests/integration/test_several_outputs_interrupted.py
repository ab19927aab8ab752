"""Jobs of several outputs that are canceled, handed back, killed, or kept from storing between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from guide_scene import CATALOGUE, FAR, Workshop, is_whole, output_rows, submit
from inpaint_core.errors import AccessDenied, GpuOutOfMemory, StorageUnavailable
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.queries import job_outputs
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from inpaint_worker.attempt import Attempt, Stop
from slow_jobs import SHORT_LEASE, attempts, ended, on_device, until
from slow_jobs import submit as submit_slow
from slow_worker import STEP_S, SlowWorker
from stored import objects

INSIDE = (slice(200, 300), slice(300, 420))


@pytest.fixture
def client(settings: Settings) -> Iterator[InpaintClient]:
    with InpaintClient(settings, catalogue=CATALOGUE) as client:
        yield client


@pytest.fixture
def workshop(settings: Settings, database: Database) -> Iterator[Workshop]:
    workshop = Workshop(settings, database)
    workshop.heartbeat.start()
    yield workshop
    workshop.heartbeat.stop()


def test_steps_are_counted_over_all_windows_of_all_outputs_and_only_upward(
    client: InpaintClient, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    step = Attempt.step

    def noted(attempt: Attempt, done: int, total: int) -> None:
        told.append((done, total))
        step(attempt, done, total)

    monkeypatch.setattr(Attempt, "step", noted)
    job_id = submit(client, FAR, outputs=3)
    workshop.run(job_id)
    assert told == [(done, 6) for call in range(6) for done in (call, call + 1)]
    view = client.get(job_id)
    assert (view.steps_done, view.steps_total, view.outputs) == (6, 6, 3)


def test_only_after_the_last_window_of_the_last_output_is_a_job_past_the_device(
    client: InpaintClient, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[str] = []
    phase = Attempt.phase

    def noted(attempt: Attempt, name: str, **options: Any) -> Any:
        entered.append(name)
        return phase(attempt, name, **options)

    monkeypatch.setattr(Attempt, "phase", noted)
    job_id = submit(client, FAR, outputs=2)
    workshop.run(job_id)
    past = ["composite", "encode", "store"]
    assert entered[-3:] == past and not set(entered[:-3]) & set(past)
    assert entered.count("inference") == 4
    # What is put together and encoded in between still counts as that.
    assert {"composite_s", "encode_s", "inference_s", "prepare_s"} <= client.get(job_id).seconds.keys()


def test_a_cancel_between_two_outputs_ends_all_of_them_and_nothing_is_stored(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store
) -> None:
    job_id = submit(client, outputs=3)

    def cancel(calls: int) -> None:
        if calls == 1:
            assert client.cancel(job_id) is JobStatus.RUNNING
            workshop.until_told_to_stop()

    workshop.painter.before_each = cancel
    workshop.run(job_id)
    assert client.get(job_id).status is JobStatus.CANCELED
    assert len(workshop.painter.seen) == 1 and output_rows(database, job_id) == []
    assert not [key for key in objects(store) if key.startswith("outputs/")]


def test_a_worker_that_drains_between_two_outputs_gives_the_job_back(
    client: InpaintClient, workshop: Workshop, database: Database
) -> None:
    job_id = submit(client, outputs=3)

    def drain(calls: int) -> None:
        if calls == 1:
            [attempt] = workshop.heartbeat.running()
            assert not attempt.is_past_device
            attempt.stop(Stop.DRAINED)

    workshop.painter.before_each = drain
    workshop.run(job_id)
    assert attempts(database, job_id) == [(1, "released")]
    workshop.painter.before_each = lambda calls: None
    workshop.run(job_id)
    assert client.get(job_id).status is JobStatus.SUCCEEDED
    assert attempts(database, job_id) == [(1, "released"), (2, "succeeded")]


@pytest.mark.parametrize("after", [0, 3, 5])
def test_a_store_that_is_away_amid_the_objects_gets_the_rest_when_it_is_back(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store, after: int
) -> None:
    job_id = submit(client, outputs=3, edit={"keep_raw": True})
    workshop.store.error, workshop.store.after = StorageUnavailable("The store does not answer."), after
    workshop.run(job_id)
    assert client.get(job_id).status is JobStatus.SUCCEEDED and len(workshop.painter.seen) == 3
    is_whole(database, store, job_id)


def test_after_a_refusal_amid_them_the_next_attempt_stores_all_of_its_own(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store
) -> None:
    job_id = submit(client, seed=3, outputs=3)
    workshop.store.error, workshop.store.after = AccessDenied("The keys are not accepted."), 2
    workshop.run(job_id)
    assert client.get(job_id).status is JobStatus.QUEUED and output_rows(database, job_id) == []
    workshop.run(job_id)
    assert attempts(database, job_id) == [(1, "released"), (2, "succeeded")]
    assert [edit.seed for edit in workshop.painter.seen] == [3, 4, 5, 3, 4, 5]
    is_whole(database, store, job_id, attempt=2)
    for number in (1, 2, 3):
        assert f"/{job_id}/2/" in str(job_outputs_of(database, job_id, number)["result"])


def job_outputs_of(database: Database, job_id: UUID, number: int) -> dict[str, str]:
    with database.read() as connection:
        return job_outputs(connection, job_id, number)


def test_a_model_that_fails_on_the_second_output_leaves_no_first(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store
) -> None:
    job_id = submit(client, outputs=2)

    def fail(calls: int) -> None:
        if calls == 1:
            raise RuntimeError("the model library is unhappy")

    workshop.painter.before_each = fail
    workshop.run(job_id)
    view = client.get(job_id)
    assert (view.status, view.failures) == (JobStatus.QUEUED, 1)
    assert output_rows(database, job_id) == [] and not [key for key in objects(store) if key.startswith("outputs/")]


def test_all_outputs_of_the_attempt_after_a_lack_of_memory_save_it(client: InpaintClient, workshop: Workshop) -> None:
    job_id = submit(client, outputs=2)

    def run_out(calls: int) -> None:
        if calls == 1:
            raise GpuOutOfMemory

    workshop.painter.before_each = run_out
    workshop.run(job_id)
    workshop.painter.before_each = lambda calls: None
    workshop.run(job_id)
    assert client.get(job_id).status is JobStatus.SUCCEEDED
    assert [edit.save_memory for edit in workshop.painter.seen] == [False, True, True]


def test_a_worker_that_is_killed_after_the_first_output_leaves_nothing_half_done(
    start_slow: Callable[..., SlowWorker], slow_client: InpaintClient, relay: Relay, database: Database, store: S3Store
) -> None:
    first = start_slow(**SHORT_LEASE)
    job_id = submit_slow(slow_client, "sleep 1", seed=7, outputs=3)
    steps = 3 * int(1 / STEP_S)
    view = until(slow_client, job_id, lambda view: on_device(view) and (view.steps_done or 0) > steps / 3)
    assert view.steps_total == steps
    first.kill()
    assert output_rows(database, job_id) == [] and not [key for key in objects(store) if key.startswith("outputs/")]
    start_slow(**SHORT_LEASE)
    view = until(slow_client, job_id, ended, relay)
    assert view.status is JobStatus.SUCCEEDED and (view.steps_done, view.steps_total) == (steps, steps)
    assert attempts(database, job_id) == [(1, "lost"), (2, "succeeded")]
    is_whole(database, store, job_id, attempt=2)
    seeds = [(row.number, row.seed) for row in output_rows(database, job_id) if row.kind == "result"]
    assert seeds == [(1, 7), (2, 8), (3, 9)]
