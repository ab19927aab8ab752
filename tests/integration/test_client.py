from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from factories import (
    count,
    encode,
    job_row,
    make_image,
    make_mask,
    make_output,
    make_spec,
    make_worker,
    sideways,
    try_claim,
)
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import (
    AccessDenied,
    DatabaseUnavailable,
    EmptyMask,
    IdempotencyConflict,
    ImageTooLarge,
    InputNotFound,
    InvalidRequest,
    JobFailed,
    JobNotFound,
    MaskSizeMismatch,
    NotConfigured,
    ObjectNotFound,
    ParameterInvalid,
    RequestError,
    SchemaBehind,
    StorageUnavailable,
    UnknownModel,
    UnreadableImage,
)
from inpaint_core.queues import queue_depths
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, load_settings
from inpaint_core.status import JobStatus, Priority
from inpaint_core.storage import ObjectRef
from inpaint_db.claims import AttemptReport, Claimed, Progress, finish, renew
from inpaint_db.queries import JobFilter
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from inpaint_producer.relay import Relay
from outages import Gate, closed_port
from PIL import Image
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

MODEL = "opencv-telea"


def objects(store: S3Store) -> set[str]:
    return {str(entry.object_name) for entry in store._client.list_objects(store.bucket, recursive=True)}


def complete(database: Database, store: S3Store, job_id: UUID, image: Image.Image | None = None) -> Claimed:
    """Do what a worker does, and store a picture."""
    with database.begin() as connection:
        claimed = try_claim(connection, job_id, make_worker(connection))
        assert claimed is not None
        output = make_output(claimed)
        uri = output.uri.replace("s3://inpaint/", f"s3://{store.bucket}/")
        store.put(ObjectRef.parse(uri), encode(image or make_image()), "image/png")
        from dataclasses import replace

        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [replace(output, uri=uri)])
    return claimed


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
        ({"source": b"hello"}, UnreadableImage, "Accepted: JPEG"),
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


# --- following --------------------------------------------------------------------------------------------------------


def test_waiting_ends_when_the_job_does(client: InpaintClient, database: Database, store: S3Store) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    later = threading.Timer(0.3, complete, (database, store, job.id))
    later.start()
    started = time.monotonic()
    assert client.wait(job.id, timeout_s=10).status is JobStatus.SUCCEEDED
    assert time.monotonic() - started < 3
    later.join()


def test_waiting_gives_up_after_its_time(client: InpaintClient) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    with pytest.raises(TimeoutError, match=r"1 of 1 jobs have not ended after 0\.2 s"):
        client.wait(job.id, timeout_s=0.2)


def test_waiting_for_many_gives_them_in_the_order_asked(
    client: InpaintClient, database: Database, store: S3Store
) -> None:
    jobs = [job.id for job in client.submit_many([make_spec() for _ in range(3)])]
    for job_id in reversed(jobs):
        complete(database, store, job_id)
    assert [view.id for view in client.wait_many(jobs, timeout_s=5)] == jobs
    assert {job_id for job_id, _ in client.as_ended(jobs, timeout_s=5)} == set(jobs)
    assert client.wait_many([]) == []


@pytest.mark.parametrize("act", ["get", "wait", "cancel", "result_bytes"])
def test_an_unknown_job_is_a_sentence(client: InpaintClient, act: str) -> None:
    with pytest.raises(JobNotFound, match="There is no job"):
        getattr(client, act)(uuid4())
    with pytest.raises(InvalidRequest, match="is not a job id"):
        getattr(client, act)("seven")


def test_a_stream_tells_each_change_once(client: InpaintClient, database: Database, store: S3Store) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    views = client.stream(job.id, timeout_s=20)
    assert next(views).status is JobStatus.QUEUED
    with database.begin() as connection:
        worker = make_worker(connection)
        claimed = try_claim(connection, job.id, worker)
        assert claimed is not None
    assert next(views).status is JobStatus.RUNNING
    for step in (1, 2):
        with database.begin() as connection:
            renew(connection, worker.id, "ready", [Progress(job.id, 1, "infer", step, 2)], lease_s=60)
        view = next(views)
        assert (view.phase, view.steps_done, view.steps_total) == ("infer", step, 2)
    with database.begin() as connection:
        finish(connection, claimed, JobStatus.SUCCEEDED, AttemptReport(), [make_output(claimed)])
    assert [view.status for view in views] == [JobStatus.SUCCEEDED]


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def done(client: InpaintClient, database: Database, store: S3Store) -> UUID:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    complete(database, store, job.id, make_image(seed=5))
    return job.id


def test_a_result_is_the_picture_that_was_stored(client: InpaintClient, done: UUID) -> None:
    assert client.result(done).tobytes() == make_image(seed=5).tobytes()


def test_a_download_goes_to_a_file_or_into_a_folder(client: InpaintClient, done: UUID, tmp_path: Path) -> None:
    assert client.download(done, tmp_path / "edited.png") == tmp_path / "edited.png"
    assert client.download(done, tmp_path) == tmp_path / f"{done}.png"
    assert (tmp_path / "edited.png").read_bytes() == (tmp_path / f"{done}.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["edited.png", f"{done}.png"])


def test_a_download_that_breaks_off_leaves_the_old_file_and_no_other(
    client: InpaintClient, done: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "edited.png"
    target.write_bytes(b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        client.download(done, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_replaces_a_file_in_one_step(client: InpaintClient, done: UUID, tmp_path: Path) -> None:
    target = tmp_path / "edited.png"
    target.write_bytes(b"old")
    with target.open("rb") as reading:
        client.download(done, target)
        # Whoever had it open goes on reading the old one: nothing was written into it.
        assert reading.read() == b"old"
    assert target.read_bytes() == client.result_bytes(done)


def test_a_job_without_a_result_says_why(client: InpaintClient, database: Database) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL)
    with pytest.raises(JobFailed, match="is queued and has no output yet"):
        client.result(job.id)
    with database.begin() as connection:
        claimed = try_claim(connection, job.id, make_worker(connection))
        assert claimed is not None
        finish(connection, claimed, JobStatus.FAILED, AttemptReport(), error_code="mask_empty", error_message="Paint.")
    with pytest.raises(JobFailed, match=rf"Job {job.id} failed \(mask_empty\): Paint\.") as caught:
        client.result(job.id)
    assert caught.value.exit_code == 5


def test_a_job_is_canceled_retried_and_listed(client: InpaintClient) -> None:
    job = client.submit(make_image(), make_mask(), model=MODEL, campaign="spring")
    assert client.cancel(job.id) is JobStatus.CANCELED
    assert client.get(job.id).status is JobStatus.CANCELED
    with pytest.raises(JobFailed, match="is canceled and has no output"):
        client.result(job.id)
    assert client.retry([job.id]) == [job.id]
    assert [view.status for view in client.list_jobs(JobFilter(campaign="spring"))] == [JobStatus.QUEUED]


# --- servers that are away --------------------------------------------------------------------------------------------


def with_away(settings: Settings, name: str) -> tuple[Settings, str]:
    """The settings with one server replaced by a port on which nobody listens."""
    found = getattr(settings, name)
    url = found.get_secret_value() if isinstance(found, SecretStr) else found
    where = f"127.0.0.1:{closed_port()}"
    login = f"{urlsplit(url).netloc.rpartition('@')[0]}@" if "@" in url else ""
    changed = urlsplit(url)._replace(netloc=login + where).geturl()
    value = SecretStr(changed) if isinstance(found, SecretStr) else changed
    return settings.model_copy(update={name: value}), where


@contextmanager
def quickly(seconds: float = 5) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_without_redis_a_job_is_accepted_and_sent_when_it_is_back(
    settings: Settings, redis: Redis, database: Database
) -> None:
    without, _ = with_away(settings, "redis_url")
    with InpaintClient(without) as client, quickly():
        jobs = list(client.submit_many([make_spec() for _ in range(3)]))
    assert all(job.created for job in jobs)
    with database.read() as connection:
        assert job_row(connection, jobs[0].id)["published_at"] is None
    time.sleep(settings.publish_grace_s)
    relay = Relay(settings, load_catalogue())
    relay.sweep()
    relay.close()
    assert queue_depths(redis, [MODEL]) == {MODEL: 3}


def test_a_redis_that_refuses_the_password_does_not_lose_the_job(settings: Settings, client: InpaintClient) -> None:
    assert settings.redis_url is not None
    parts = urlsplit(settings.redis_url.get_secret_value())
    wrong = parts._replace(netloc=f"nobody:hunter2@{parts.hostname}:{parts.port}").geturl()
    with InpaintClient(settings.model_copy(update={"redis_url": SecretStr(wrong)})) as other:
        job = other.submit(make_image(), make_mask(), model=MODEL)
    assert client.get(job.id).status is JobStatus.QUEUED


def test_without_postgres_nothing_is_accepted_and_the_address_is_named(settings: Settings, redis: Redis) -> None:
    without, where = with_away(settings, "postgres_url")
    with InpaintClient(without) as client, quickly():
        with pytest.raises(DatabaseUnavailable, match=f"Postgres at {where} does not answer") as caught:
            client.submit(make_image(), make_mask(), model=MODEL)
        assert (caught.value.service, caught.value.address, caught.value.exit_code) == ("Postgres", where, 4)
    assert queue_depths(redis, [MODEL]) == {MODEL: 0}


def test_without_s3_nothing_is_accepted_and_the_address_is_named(settings: Settings, database: Database) -> None:
    without, where = with_away(settings, "s3_url")
    away = pytest.raises(StorageUnavailable, match=f"S3 at http://{where} does not answer")
    with InpaintClient(without) as client, quickly(), away:
        client.submit(make_image(), make_mask(), model=MODEL)
    with database.read() as connection:
        assert count(connection, "job") == 0


def test_a_client_goes_on_when_postgres_and_s3_have_come_back(
    settings: Settings, gate: Callable[[str], Gate], redis: Redis
) -> None:
    assert settings.postgres_url and settings.s3_url and settings.redis_url
    postgres, s3 = gate(settings.postgres_url.get_secret_value()), gate(settings.s3_url)
    broker = gate(settings.redis_url.get_secret_value())
    through = settings.model_copy(
        update={"postgres_url": SecretStr(postgres.url), "s3_url": s3.url, "redis_url": SecretStr(broker.url)}
    )
    with InpaintClient(through) as client:
        client.submit(make_image(), make_mask(), model=MODEL)
        for away, error in ((postgres, DatabaseUnavailable), (s3, StorageUnavailable)):
            away.shut()
            with pytest.raises(error):
                client.submit(make_image(seed=away is s3), make_mask(), model=MODEL)
            away.open()
            client.submit(make_image(seed=7), make_mask(), model=MODEL)
        broker.shut()
        assert client.submit(make_image(), make_mask(), model=MODEL).created
        broker.open()
        assert client.submit(make_image(), make_mask(), model=MODEL).created
    assert queue_depths(redis, [MODEL])[MODEL] == 4


def test_wrong_keys_of_s3_are_said_to_be_wrong(settings: Settings) -> None:
    wrong = settings.model_copy(update={"s3_secret_key": SecretStr("hunter2hunter2")})
    with InpaintClient(wrong) as client, pytest.raises(AccessDenied, match="refused the credentials"):
        client.submit(make_image(), make_mask(), model=MODEL)


def test_a_database_without_a_schema_says_what_to_run(settings: Settings, empty_database: Settings) -> None:
    behind = settings.model_copy(update={"postgres_url": empty_database.postgres_url})
    with InpaintClient(behind) as client, pytest.raises(SchemaBehind, match="inpaint db upgrade"):
        client.submit(make_image(), make_mask(), model=MODEL)


def test_a_client_without_settings_says_what_is_missing() -> None:
    with pytest.raises(NotConfigured, match="inpaint up"):
        InpaintClient(load_settings())
