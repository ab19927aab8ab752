"""Jobs of several outputs: seeds, names, formats, and what is told of their seconds and their cost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from guide_scene import CARD, CATALOGUE, FAR, SIZE, SOURCE, Workshop, is_whole, output_rows, submit
from inpaint_core.errors import InvalidRequest, JobFailed
from inpaint_core.job import MAX_SEED
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.prices import set_hourly, set_per_image
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from PIL import Image
from sqlalchemy import text

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


# --- seeds and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 41, MAX_SEED - 1, MAX_SEED])
def test_each_output_has_the_next_seed_which_begins_anew_after_the_highest(
    client: InpaintClient, workshop: Workshop, database: Database, store: S3Store, seed: int
) -> None:
    job_id = submit(client, seed=seed, outputs=4)
    workshop.run(job_id)
    wanted = [(seed + number) % 2**32 for number in range(4)]
    assert [edit.seed for edit in workshop.painter.seen] == wanted
    results = [row for row in output_rows(database, job_id) if row.kind == "result"]
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
    kinds = [(row.number, row.kind) for row in output_rows(database, job_id)]
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
    results = [row for row in output_rows(database, job_id) if row.kind == "result"]
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
    first = output_rows(database, job_id)[1]
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
    names = {ObjectRef.parse(row.uri).key.rsplit("/")[-1] for row in output_rows(database, job_id)}
    assert names == {"result.png", "region.png", "raw.png", "raw-2.png"}
    assert {row.number for row in output_rows(database, job_id)} == {1}
