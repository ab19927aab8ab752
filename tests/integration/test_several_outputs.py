"""Jobs of several outputs: seeds, names, progress, cost; a cancel, an outage and a crash between two of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from guide_scene import BOX, CARD, CATALOGUE, FAR, SIZE, SOURCE, Workshop
from inpaint_core.errors import AccessDenied, GpuOutOfMemory, InvalidRequest, JobFailed, StorageUnavailable
from inpaint_core.job import MAX_SEED
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.prices import set_hourly, set_per_image
from inpaint_db.queries import job_outputs
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from inpaint_worker.attempt import Attempt, Stop
from PIL import Image
from slow_jobs import SHORT_LEASE, attempts, ended, on_device, until
from slow_jobs import submit as submit_slow
from slow_worker import STEP_S, SlowWorker
from sqlalchemy import text
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


def submit(client: InpaintClient, mask: Any = BOX, **fields: Any) -> UUID:
    return client.submit(SOURCE, mask, model=CARD.name, **fields).id


def rows(database: Database, job_id: UUID) -> list[Any]:
    with database.read() as connection:
        statement = text("SELECT * FROM output WHERE job_id = :id ORDER BY number, kind")
        return list(connection.execute(statement, {"id": job_id}).all())


def is_whole(database: Database, store: S3Store, job_id: UUID, attempt: int = 1) -> None:
    """Every object of the bucket's outputs is in a row and is what the row says; all are of one attempt."""
    found = rows(database, job_id)
    assert {row.attempt for row in found} == {attempt}
    for row in found:
        data = store.get(ObjectRef.parse(row.uri), 1 << 24)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row.sha256, row.size_bytes)
    mine = {key for key in objects(store) if key.startswith(f"outputs/{job_id}/{attempt}/")}
    assert mine == {ObjectRef.parse(row.uri).key for row in found}


# --- seeds and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 41, MAX_SEED - 1, MAX_SEED])
def test_each_output_has_the_next_seed_which_begins_anew_after_the_highest(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store, seed: int
) -> None:
    job_id = submit(client, seed=seed, outputs=4)
    workshop.run(job_id)
    wanted = [(seed + number) % 2**32 for number in range(4)]
    assert [edit.seed for edit in workshop.painter.seen] == wanted
    results = [row for row in rows(database, job_id) if row.kind == "result"]
    assert [(row.number, row.seed) for row in results] == list(enumerate(wanted, start=1))
    for number, each in enumerate(wanted, start=1):
        found = np.asarray(client.result(job_id, number=number))
        assert (found[INSIDE] == each % 251).all()
        outside = np.ones(SIZE[::-1], bool)
        outside[INSIDE] = False
        assert np.array_equal(found[outside], np.asarray(SOURCE)[outside])
    is_whole(database, store, job_id)
    # Asked for alone, by its seed, an output is the same.
    alone = submit(client, seed=wanted[2])
    workshop.run(alone)
    assert client.result_bytes(alone) == client.result_bytes(job_id, number=3)


def test_raw_images_of_all_windows_of_all_outputs_are_kept_apart_and_the_region_is_kept_once(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store, tmp_path: Path
) -> None:
    job_id = submit(client, FAR, seed=10, outputs=3, edit={"keep_raw": True})
    workshop.run(job_id)
    kinds = [(row.number, row.kind) for row in rows(database, job_id)]
    assert kinds == [
        (1, "raw"), (1, "raw-2"), (1, "region"), (1, "result"),
        (2, "raw"), (2, "raw-2"), (2, "result"), (3, "raw"), (3, "raw-2"), (3, "result"),
    ]  # fmt: skip
    is_whole(database, store, job_id)
    for number in (1, 2, 3):
        for kind in ("raw", "raw-2"):
            raw = np.asarray(client.result(job_id, kind, number))
            assert (raw == 9 + number).all() and raw.shape[:2] == ((62, 72) if kind == "raw" else (72, 82))
        assert np.array_equal(
            np.asarray(client.result(job_id, "region", number)), np.asarray(client.result(job_id, "region"))
        )
    written = [
        client.download(job_id, tmp_path, kind, number).name
        for kind, number in (("result", 1), ("result", 2), ("raw-2", 1), ("raw", 2), ("raw-2", 2), ("region", 1))
    ]
    assert written == [
        f"{job_id}.png", f"{job_id}-2.png", f"{job_id}-raw-2.png", f"{job_id}-2-raw.png", f"{job_id}-2-raw-2.png",
        f"{job_id}-region.png",
    ]  # fmt: skip
    assert len({(tmp_path / name).read_bytes() for name in written}) == len(written)


def test_a_number_or_kind_that_there_is_not_is_told(client: InpaintClient, workshop: Workshop) -> None:
    job_id = submit(client, outputs=2)
    with pytest.raises(JobFailed, match="queued and has no output yet"):
        client.result_bytes(job_id, number=2)
    workshop.run(job_id)
    for number in (0, 3, -1):
        with pytest.raises(InvalidRequest, match=f"has 2 outputs, and no number {number}"):
            client.result_bytes(job_id, number=number)
    with pytest.raises(InvalidRequest, match=r"it has region, result.*keep_raw"):
        client.result_bytes(job_id, "raw", 2)
    single = submit(client)
    workshop.run(single)
    with pytest.raises(InvalidRequest, match="has one output, and no number 2"):
        client.result_bytes(single, number=2)


@pytest.mark.parametrize(("kind", "ending"), [("jpeg", "jpg"), ("webp", "webp"), ("avif", "avif")])
def test_outputs_in_other_formats_are_all_in_that_format(
    client: InpaintClient,
    workshop: Workshop,
    database: Database,
    store: S3Store,
    tmp_path: Path,
    kind: str,
    ending: str,
) -> None:
    job_id = submit(client, seed=100, outputs=2, edit={"format": kind, "keep_raw": True})
    workshop.run(job_id)
    results = [row for row in rows(database, job_id) if row.kind == "result"]
    assert [row.format for row in results] == [kind.upper()] * 2
    assert [row.exact for row in results] == [False, False]
    assert [ObjectRef.parse(row.uri).key.rsplit("/")[-1] for row in results] == [
        f"result.{ending}", f"2-result.{ending}",
    ]  # fmt: skip
    assert client.download(job_id, tmp_path, number=2).name == f"{job_id}-2.{ending}"
    with Image.open(io.BytesIO(client.result_bytes(job_id, number=2))) as second:
        assert abs(int(np.asarray(second.convert("RGB"))[250, 360, 0]) - 101) < 4


def test_outputs_of_a_transparent_mask_and_a_feather_are_each_made_from_the_source(
    client: InpaintClient, workshop: Workshop
) -> None:
    holes = SOURCE.convert("RGBA")
    holes.paste((0, 0, 0, 0), (300, 200, 420, 300))
    first, second = (
        client.submit(holes, "alpha", model=CARD.name, seed=seed, outputs=outputs, edit={"feather": 3}).id
        for seed, outputs in ((5, 2), (6, 1))
    )
    workshop.run(first)
    workshop.run(second)
    assert client.result_bytes(first, number=2) == client.result_bytes(second)
    assert client.result_bytes(first) != client.result_bytes(second)


# --- how it goes on ---------------------------------------------------------------------------------------------------


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
    assert len(workshop.painter.seen) == 1 and rows(database, job_id) == []
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
    assert client.get(job_id).status is JobStatus.QUEUED and rows(database, job_id) == []
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
    assert rows(database, job_id) == [] and not [key for key in objects(store) if key.startswith("outputs/")]


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
    assert rows(database, job_id) == [] and not [key for key in objects(store) if key.startswith("outputs/")]
    start_slow(**SHORT_LEASE)
    view = until(slow_client, job_id, ended, relay)
    assert view.status is JobStatus.SUCCEEDED and (view.steps_done, view.steps_total) == (steps, steps)
    assert attempts(database, job_id) == [(1, "lost"), (2, "succeeded")]
    is_whole(database, store, job_id, attempt=2)
    seeds = [(row.number, row.seed) for row in rows(database, job_id) if row.kind == "result"]
    assert seeds == [(1, 7), (2, 8), (3, 9)]


# --- what is told of them ---------------------------------------------------------------------------------------------


def test_seconds_and_cost_are_of_all_outputs_and_the_rest_of_the_first(
    client: InpaintClient, workshop: Workshop, database: Database
) -> None:
    job_id = submit(client, FAR, seed=50, outputs=3)
    workshop.run(job_id)
    with database.begin() as connection:
        set_hourly(connection, "cpu", 3600.0, valid_from=datetime.now(UTC) - timedelta(days=1))
    view = client.get(job_id)
    assert view.cost_usd == pytest.approx(view.seconds["inference_s"])
    with database.begin() as connection:
        report = connection.execute(text("SELECT * FROM job_report")).mappings().one()
        set_per_image(connection, CARD.name, 0.02, valid_from=datetime.now(UTC) - timedelta(days=1))
    first = rows(database, job_id)[1]
    assert first.kind == "result" and report["output_uri"] == first.uri
    assert (report["outputs"], report["with_reference"], report["control_type"]) == (3, False, None)
    assert report["inside_change_mean"] == first.inside_change_mean
    # By the image: two windows of three outputs.
    assert client.get(job_id).cost_usd == pytest.approx(0.02 * 2 * 3)


@pytest.mark.parametrize(("calls", "paid"), [(0, 0), (3, 3), (5, 5)])
def test_an_api_is_paid_for_the_calls_of_a_failed_attempt_that_it_answered(
    client: InpaintClient, workshop: Workshop, database: Database, calls: int, paid: int
) -> None:
    with database.begin() as connection:
        set_per_image(connection, CARD.name, 0.02, valid_from=datetime.now(UTC) - timedelta(days=1))
        connection.execute(text("UPDATE environment SET device_kind = 'api'"))
    job_id = submit(client, FAR, outputs=3)

    def fail(done: int) -> None:
        if done == calls:
            raise RuntimeError("no answer")

    workshop.painter.before_each = fail
    workshop.run(job_id)
    assert client.get(job_id).cost_usd == pytest.approx(0.02 * paid)
    workshop.painter.before_each = lambda done: None
    workshop.run(job_id)
    view = client.get(job_id)
    assert view.status is JobStatus.SUCCEEDED and view.cost_usd == pytest.approx(0.02 * (paid + 6))


def test_with_one_output_everything_is_called_what_it_was(
    client: InpaintClient, workshop: Workshop, database: Database
) -> None:
    job_id = submit(client, FAR, edit={"keep_raw": True})
    workshop.run(job_id)
    names = {ObjectRef.parse(row.uri).key.rsplit("/")[-1] for row in rows(database, job_id)}
    assert names == {"result.png", "region.png", "raw.png", "raw-2.png"}
    assert {row.number for row in rows(database, job_id)} == {1}
