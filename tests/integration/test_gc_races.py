"""Cleaning while producers submit: no job ever names an object that is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from factories import MODEL, encode, make_facts, make_image, make_mask
from gc_scene import AgedStore, Scene, found
from inpaint_core.errors import ObjectNotFound
from inpaint_core.settings import Settings
from inpaint_db.retention import hold_images
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from inpaint_producer import intake as intake_module
from inpaint_producer import submit as submit_module
from inpaint_producer.cleaning import Cleaned, Cleaner
from sqlalchemy import text


@pytest.fixture
def scene(settings: Settings, database: Database, client: InpaintClient) -> Scene:
    return Scene(settings, database, client)


class Gated(AgedStore):
    """A store whose bulk deletes wait, after they have begun, until they are let go."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.reached, self.go = threading.Event(), threading.Event()

    def delete_many(self, refs: Any) -> None:
        if refs:
            self.reached.set()
            assert self.go.wait(30)
        super().delete_many(refs)


def in_thread(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def forget_jobs(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("DELETE FROM job"))


@pytest.mark.parametrize("recorded", [True, False])
def test_a_submit_waits_for_a_cleaning_that_is_deleting_its_images_and_uploads_them_again(
    scene: Scene, settings: Settings, database: Database, recorded: bool
) -> None:
    scene.queued()
    forget_jobs(database)
    scene.age(100)
    if not recorded:
        with database.begin() as connection:
            connection.execute(text("DELETE FROM image"))
    store = Gated(settings)
    cleaned: list[Cleaned | None] = []
    cleaning = in_thread(lambda: cleaned.append(Cleaner(settings, database, store).run(unknown=True)))
    assert store.reached.wait(30)
    submitted = threading.Event()

    def submit() -> None:
        with InpaintClient(settings) as other:
            other.submit(make_image(), make_mask(), model=MODEL)
        submitted.set()

    submitting = in_thread(submit)
    assert not submitted.wait(0.5), "it has to wait until the objects are gone"
    store.go.set()
    cleaning.join(30)
    submitting.join(30)
    assert submitted.is_set() and cleaned[0] is not None
    assert cleaned[0].deleted["input", "unused" if recorded else "unknown"].count == 2
    assert len(scene.jobs()) == 1 and scene.missing() == set()


def test_a_cleaning_passes_over_images_that_a_producer_is_just_holding(scene: Scene, database: Database) -> None:
    scene.queued()
    forget_jobs(database)
    scene.age(100)
    with database.begin() as producer:
        shas = list(producer.execute(text("SELECT sha256 FROM image")).scalars())
        producer.execute(text("SELECT 1 FROM image FOR KEY SHARE"))  # as the insert of a job does
        began = time.monotonic()
        assert scene.clean().deleted == {}
        assert time.monotonic() - began < 8, "it does not wait, either"
    assert len(shas) == 2 and scene.images() == 2 and len(scene.stored("inputs/")) == 2


def test_an_image_that_was_held_is_left_alone_though_it_looked_unused_before(scene: Scene, database: Database) -> None:
    scene.queued()
    forget_jobs(database)
    scene.age(100)

    class Interrupting(AgedStore):
        """Between the listing and the lock, a producer holds the images."""

        def list_pages(self, prefix: str) -> Any:
            for page in super().list_pages(prefix):
                if prefix == "inputs/":
                    with InpaintClient(scene.settings) as other:
                        other.submit(make_image(), make_mask(), model=MODEL)
                yield page

    assert scene.clean(Interrupting(scene.settings)).deleted == {}
    assert scene.missing() == set()


def test_a_named_object_that_goes_between_check_and_submit_is_refused_and_not_queued(
    scene: Scene, database: Database
) -> None:
    scene.queued()
    forget_jobs(database)
    scene.age(100)
    source, mask = sorted(scene.stored("inputs/"), key=lambda key: len(scene.store.get(scene.ref(key), 1 << 20)))[::-1]
    with InpaintClient(scene.settings) as other:
        spec = {"source": str(scene.ref(source)), "mask": str(scene.ref(mask)), "model": MODEL}
        other.check(JobSpec(**spec))  # read, and remembered
        assert found(scene.clean()) == {("input", "unused"): 2, ("image", "unused"): 2}
        with pytest.raises(ObjectNotFound, match="There is no object s3://"):
            other.submit(**spec)
        assert scene.jobs() == set()
        # The same pictures as bytes are uploaded, though the client had seen them in the bucket.
        assert other.submit(make_image(), make_mask(), model=MODEL).created
    assert scene.missing() == set()


def test_a_client_that_remembers_rows_which_are_gone_starts_afresh(scene: Scene, database: Database) -> None:
    scene.queued()
    for emptied in ("job, image", "job, image, worker, attempt, model, price"):
        with database.begin() as connection:
            connection.execute(text(f"TRUNCATE {emptied} CASCADE"))
        for key in scene.stored():
            scene.store.delete(scene.ref(key))
        scene.queued()
        assert len(scene.jobs()) == 1 and scene.missing() == set()


def test_a_submit_of_an_image_that_was_long_unused_says_that_it_is_used_again(scene: Scene, database: Database) -> None:
    scene.queued()
    scene.age(3)
    with InpaintClient(scene.settings) as later:
        later.submit(make_image(), make_mask(), model=MODEL)
    with database.read() as connection:
        ages = connection.execute(text("SELECT now() - last_used_at FROM image")).scalars().all()
    assert len(ages) == 2 and all(age < timedelta(minutes=1) for age in ages)


def test_holding_an_image_does_not_write_its_row_each_time(database: Database) -> None:
    facts = [make_facts("room"), make_facts("mask", masked_pixels=7)]
    versions = set()
    for _ in range(3):
        with database.begin() as connection:
            hold_images(connection, facts)
            versions |= set(connection.execute(text("SELECT (sha256, xmin::text)::text FROM image")).scalars())
    assert len(versions) == 2


def test_submits_beside_cleanings_never_end_with_a_job_without_its_objects(
    scene: Scene, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each producer makes its own pictures look long unused after each job, so it may trust nothing it saw before.
    monkeypatch.setattr(intake_module, "TRUST_S", 0)
    monkeypatch.setattr(submit_module, "TRUST_S", 0)
    # One that stays: rclone removes a folder with its last object, under the hands of whoever is uploading into it.
    scene.queued(seed=99)
    stop = threading.Event()
    removed, broken = 0, []

    def clean() -> None:
        nonlocal removed
        with Database(settings) as own:
            while not stop.is_set():
                cleaned = Cleaner(settings, own, AgedStore(settings)).run(unknown=True)
                removed += cleaned.deleted[found_input].count if cleaned and found_input in cleaned.deleted else 0

    found_input = ("input", "unused")

    def produce(number: int) -> None:
        source, mask = make_image(seed=number), make_mask(box=(number, 4, 40 + number, 40))
        try:
            with InpaintClient(settings) as client:
                for _ in range(25):
                    job = client.submit(encode(source), encode(mask), model=MODEL)
                    view = client.get(job.id)
                    for uri in (view.source_uri, view.mask_uri):
                        assert uri is not None
                        client.store.stat(scene.ref(uri.split("/", 3)[3]))
                    with client.database.begin() as connection:
                        shas = connection.execute(
                            text("DELETE FROM job WHERE id = :id RETURNING source_sha256, mask_sha256"), {"id": job.id}
                        ).one()
                        connection.execute(
                            text("UPDATE image SET last_used_at = now() - interval '9 days' WHERE sha256 = ANY(:shas)"),
                            {"shas": list(shas)},
                        )
        except Exception as error:  # noqa: BLE001  (told by the test's own thread)
            broken.append(error)

    cleaning = in_thread(clean)
    producing = [in_thread(lambda number=number: produce(number)) for number in range(4)]  # type: ignore[misc]
    for thread in producing:
        thread.join(120)
    stop.set()
    cleaning.join(30)
    assert broken == []
    assert removed > 4, "the two did meet"
