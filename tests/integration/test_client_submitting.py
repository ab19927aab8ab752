"""Submitting through the client: what is stored, in which order, and that nothing is stored of what is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from factories import (
    count,
    encode,
    job_row,
    make_image,
    make_mask,
    make_spec,
    sideways,
)
from inpaint_core.errors import (
    EmptyMask,
    IdempotencyConflict,
    ImageTooLarge,
    InputNotFound,
    InvalidRequest,
    MaskSizeMismatch,
    ObjectNotFound,
    ParameterInvalid,
    RequestError,
    UnknownModel,
    UnreadableImage,
)
from inpaint_core.queues import queue_depths
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus, Priority
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from PIL import Image
from redis import Redis
from sqlalchemy import text
from stored import objects

MODEL = "opencv-telea"


# --- submit -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    source, mask = tmp_path / "room.jpg", tmp_path / "mask.png"
    source.write_bytes(encode(make_image(), "JPEG"))
    mask.write_bytes(encode(make_mask()))
    return source, mask


@pytest.mark.parametrize("form", ["path", "text", "bytes", "pil", "s3"])
def test_images_are_taken_in_every_form(
    client: InpaintClient, store: S3Store, database: Database, redis: Redis, files: tuple[Path, Path], form: str
) -> None:
    source, mask = files
    given: dict[str, Callable[[Path], Any]] = {
        "path": lambda path: path,
        "text": str,
        "bytes": lambda path: path.read_bytes(),
        "pil": Image.open,
        "s3": lambda path: upload(store, path),
    }
    job = client.submit(given[form](source), given[form](mask), model=MODEL, prompt="a sofa", priority="high")
    assert job.created and job.status is JobStatus.QUEUED and job.model == MODEL
    with database.read() as connection:
        row = job_row(connection, job.id)
        assert row["prompt"] == "a sofa" and row["published_at"] is not None
        assert row["source_sha256"] is not None and row["mask_sha256"] is not None
        assert count(connection, "image") == 2
        for uri in (row["source_uri"], row["mask_uri"]):
            assert store.stat(ObjectRef.parse(uri)).size_bytes > 0
    assert queue_depths(redis, [MODEL]) == {MODEL: 1}
    assert redis.llen("inpaint:inpaint.opencv-telea\x06\x161") == 1


def upload(store: S3Store, path: Path) -> str:
    ref = ObjectRef(store.bucket, f"in/{path.name}")
    store.put(ref, path.read_bytes(), "image/png")
    return str(ref)


def test_an_upload_lies_under_the_hash_of_its_content_and_only_once(client: InpaintClient, store: S3Store) -> None:
    for _ in range(3):
        client.submit(encode(make_image()), encode(make_mask()), model=MODEL)
    assert len(objects(store)) == 2
    assert all(name.startswith("inputs/") and name.endswith(".png") for name in objects(store))


def test_an_object_that_lies_in_the_bucket_is_not_stored_again(
    client: InpaintClient, store: S3Store, files: tuple[Path, Path]
) -> None:
    uris = [upload(store, path) for path in files]
    before = objects(store)
    job = client.submit(*uris, model=MODEL)
    assert objects(store) == before
    assert client.get(job.id).source_uri == uris[0]


def test_an_upload_may_be_named_again_by_its_address(client: InpaintClient, settings: Settings) -> None:
    first = client.get(client.submit(make_image(), make_mask(), model=MODEL).id)
    assert first.source_uri and first.mask_uri
    # A client of its own: it remembers nothing of the first.
    with InpaintClient(settings) as another:
        second = another.get(another.submit(first.source_uri, first.mask_uri, model="opencv-ns").id)
    assert (second.source_uri, second.mask_uri) == (first.source_uri, first.mask_uri)


@pytest.mark.parametrize("form", ["bytes", "pil"])
def test_a_photo_on_its_side_is_as_large_as_it_is_displayed(client: InpaintClient, form: str) -> None:
    photo = sideways(make_image(96, 64))
    source = Image.open(io.BytesIO(photo)) if form == "pil" else photo
    assert client.submit(source, make_mask(96, 64), model=MODEL).created


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_every_mode_are_taken(client: InpaintClient, mode: str) -> None:
    image = make_image().convert("RGB" if mode in ("P", "HSV", "YCbCr", "CMYK") else "L").convert(mode)
    assert client.submit(image, make_mask(), model=MODEL).created


def test_every_field_of_a_submission_is_stored(client: InpaintClient) -> None:
    deadline = datetime.now(UTC) + timedelta(hours=1)
    job = client.submit(
        make_image(), make_mask(), model=MODEL, prompt="p", negative_prompt="n", seed=7, parameters={"radius": 3},
        campaign="c", tags={"a": "b"}, priority=Priority.LOW, deadline=deadline, idempotency_key="k",
    )  # fmt: skip
    view = client.get(str(job.id))
    assert (view.prompt, view.seed, view.parameters, view.campaign, view.tags, view.priority, view.deadline) == (
        "p", 7, {"radius": 3}, "c", {"a": "b"}, "low", deadline,
    )  # fmt: skip


def test_a_repeated_submit_is_the_first_job_and_sends_nothing(client: InpaintClient, redis: Redis) -> None:
    source, mask = encode(make_image()), encode(make_mask())
    first = client.submit(source, mask, model=MODEL, idempotency_key="k")
    again = client.submit(source, mask, model=MODEL, idempotency_key="k")
    assert (again.id, again.created) == (first.id, False)
    assert queue_depths(redis, [MODEL]) == {MODEL: 1}
    with pytest.raises(IdempotencyConflict):
        client.submit(source, mask, model=MODEL, idempotency_key="k", prompt="another")


# --- nothing is stored of what is wrong -------------------------------------------------------------------------------

SMALL = {"max_image_bytes": 50_000, "max_image_pixels": 20_000}


@pytest.fixture
def strict(settings: Settings) -> Iterator[InpaintClient]:
    with InpaintClient(settings.model_copy(update=SMALL)) as client:
        yield client


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"source": "nowhere/room.jpg"}, InputNotFound, "There is no file nowhere/room.jpg"),
        ({"mask": Path("nowhere.png")}, InputNotFound, "given as the mask"),
        ({"source": "/"}, UnreadableImage, "is a folder"),
        ({"source": b""}, UnreadableImage, "is empty"),
        ({"source": b"hello"}, UnreadableImage, "Accepted: jpeg"),
        ({"source": encode(make_image())[:200]}, UnreadableImage, "truncated or damaged"),
        ({"source": Image.new("F", (96, 64))}, UnreadableImage, "mode F"),
        ({"source": encode(make_image(200, 200))}, ImageTooLarge, "INPAINT_MAX_IMAGE_PIXELS"),
        ({"source": b"\xff" * 60_000}, ImageTooLarge, "INPAINT_MAX_IMAGE_BYTES"),
        ({"mask": make_mask(64, 96)}, MaskSizeMismatch, "64x96"),
        ({"mask": Image.new("L", (96, 64))}, EmptyMask, "invert it"),
        ({"model": "opencv-tela"}, UnknownModel, "Did you mean opencv-telea"),
        ({"parameters": {"radius": 999}}, ParameterInvalid, "from 1 to 32"),
        ({"parameters": {"steps": 1}}, ParameterInvalid, "it has: radius"),
        ({"prompt": "a\x00b"}, InvalidRequest, "NUL"),
        ({"seed": -1}, InvalidRequest, "seed"),
        ({"priority": "urgent"}, InvalidRequest, "'low', 'normal' or 'high'"),
        ({"deadline": datetime(2030, 1, 1)}, InvalidRequest, "timezone"),
        ({"tags": {"a": 1}}, InvalidRequest, "tags.a"),
        ({"source": "s3://"}, InvalidRequest, "must be s3://bucket/key"),
        ({"source": "s3://foreign-bucket/x.png"}, RequestError, "INPAINT_S3_READ_BUCKETS"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_refused_before_anything_is_stored(
    strict: InpaintClient,
    store: S3Store,
    database: Database,
    redis: Redis,
    fields: dict[str, Any],
    error: type[RequestError],
    words: str,
) -> None:
    good = make_spec()
    with pytest.raises(error) as caught:
        list(strict.submit_many([good, make_spec(**fields)]))
    assert words in caught.value.message and caught.value.index == 1
    with pytest.raises(error):
        strict.check(make_spec(**fields))
    assert objects(store) == set()
    with database.read() as connection:
        assert [count(connection, table) for table in ("job", "image", "model")] == [0, 0, 0]
    assert redis.keys("*") == []


def test_an_object_that_is_not_there_is_refused(client: InpaintClient, store: S3Store, database: Database) -> None:
    with pytest.raises(ObjectNotFound, match=r"in/none\.png"):
        client.submit(f"s3://{store.bucket}/in/none.png", make_mask(), model=MODEL)
    with pytest.raises(ObjectNotFound):  # known to the database would not do: it has to be there
        client.submit(f"s3://{store.bucket}/inputs/{'0' * 64}.png", make_mask(), model=MODEL)
    assert objects(store) == set()
    with database.read() as connection:
        assert count(connection, "job") == 0


def test_an_upload_that_was_deleted_since_is_missed_before_it_is_submitted_again(
    client: InpaintClient, store: S3Store, settings: Settings
) -> None:
    view = client.get(client.submit(make_image(), make_mask(), model=MODEL).id)
    assert view.source_uri and view.mask_uri
    store.delete(ObjectRef.parse(view.source_uri))
    with InpaintClient(settings) as another, pytest.raises(ObjectNotFound):
        another.submit(view.source_uri, view.mask_uri, model=MODEL)


# --- many -------------------------------------------------------------------------------------------------------------


def test_1200_jobs_are_queued_in_order_and_their_images_stored_once(
    client: InpaintClient, store: S3Store, redis: Redis, database: Database
) -> None:
    source, mask = encode(make_image()), encode(make_mask())
    specs = (JobSpec(source, mask, MODEL, seed=seed) for seed in range(1200))
    answers = list(client.submit_many(specs))
    assert len(answers) == 1200 and all(answer.created for answer in answers)
    with database.read() as connection:
        seeds = dict(connection.execute(text("SELECT id, seed FROM job")).all())
        assert [seeds[answer.id] for answer in answers] == list(range(1200))
        unsent = text("SELECT count(*) FROM job WHERE published_at IS NULL")
        assert connection.execute(unsent).scalar_one() == 0
    assert queue_depths(redis, [MODEL]) == {MODEL: 1200}
    assert len(objects(store)) == 2


def test_a_mistake_in_a_later_portion_keeps_the_portions_before_it(
    client: InpaintClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint_producer.client.CHUNK", 3)
    source, mask = encode(make_image()), encode(make_mask())
    specs = [JobSpec(source, mask, MODEL if number != 4 else "opencv-tela") for number in range(7)]
    with pytest.raises(UnknownModel) as caught:
        list(client.submit_many(specs))
    assert caught.value.index == 4
    with database.read() as connection:
        assert count(connection, "job") == 3


def test_no_jobs_are_no_work(client: InpaintClient) -> None:
    assert list(client.submit_many([])) == []
