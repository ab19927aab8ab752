"""Cleaning and the images that guide jobs: none goes that a job still needs, and all go when none does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from factories import encode, make_image, try_claim
from gc_scene import AgedStore, Scene
from guide_scene import CARD, CATALOGUE, Workshop
from inpaint_core.errors import AccessDenied
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef, input_ref
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from sqlalchemy import text

CHAIR, LINES = encode(make_image(40, 40, seed=7)), encode(make_image(96, 64, seed=8))
BOX = {"boxes": [[10, 10, 40, 30]]}
KEPT: dict[str, Any] = {"keep_succeeded_days": 30, "keep_failed_days": 10}


@pytest.fixture
def guided(settings: Settings) -> Iterator[InpaintClient]:
    with InpaintClient(settings, catalogue=CATALOGUE) as client:
        yield client


@pytest.fixture
def scene(settings: Settings, database: Database, guided: InpaintClient) -> Scene:
    return Scene(settings, database, guided)


@pytest.fixture
def workshop(settings: Settings, database: Database) -> Workshop:
    return Workshop(settings, database)


def submit(client: InpaintClient, **fields: Any) -> UUID:
    return client.submit(make_image(), BOX, model=CARD.name, **fields).id


ROLES = {
    "reference": {"reference_image": CHAIR},
    "control": {"control_image": LINES, "control_type": "canny"},
}


def guide_of(client: InpaintClient, job_id: UUID, role: str) -> str:
    uri = getattr(client.get(job_id), f"{role}_uri")
    assert isinstance(uri, str)
    return ObjectRef.parse(uri).key


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed"])
def test_an_image_that_only_guides_a_job_stays_as_long_as_the_job_and_goes_after_it(
    guided: InpaintClient, scene: Scene, workshop: Workshop, database: Database, role: str, state: str
) -> None:
    job_id = submit(guided, **ROLES[role])
    key = guide_of(guided, job_id, role)
    if state != "queued":
        with database.begin() as connection:
            claimed = try_claim(connection, job_id, workshop.worker, model=CARD.name, lease_s=1e9)
            assert claimed is not None
            if state != "running":
                assert finish(connection, claimed, JobStatus(state), AttemptReport())
    scene.age(9)
    before = scene.stored("inputs/")
    scene.clean(**KEPT)
    assert scene.stored("inputs/") == before and key in before and len(before) == 2
    assert scene.images() == 2
    # Once nobody names it, it goes with its row.
    with database.begin() as connection:
        connection.execute(text("UPDATE job SET status = 'canceled', finished_at = now(), lease_until = NULL, "
                                "worker_id = NULL WHERE finished_at IS NULL"))  # fmt: skip
    scene.age(40)
    scene.clean(**KEPT)
    assert scene.stored("inputs/") == set() and scene.images() == 0 and scene.jobs() == set()


@pytest.mark.parametrize("role", ROLES)
def test_an_image_that_guides_one_job_and_was_the_source_of_a_past_one_stays(
    guided: InpaintClient, scene: Scene, database: Database, role: str
) -> None:
    data = next(value for name, value in ROLES[role].items() if name.endswith("_image"))
    past = guided.submit(data, BOX, model=CARD.name).id
    guided.cancel(past)
    scene.age(40)
    live = submit(guided, **ROLES[role])
    with database.begin() as connection:
        connection.execute(text("UPDATE image SET last_used_at = now() - interval '20 days'"))
    scene.clean(**KEPT)
    assert scene.jobs() == {live}
    assert guide_of(guided, live, role) in scene.stored("inputs/")


@pytest.mark.parametrize("role", ROLES)
def test_guides_of_jobs_that_came_as_a_whole_message_stay_though_no_content_is_known_of_them(
    guided: InpaintClient, scene: Scene, workshop: Workshop, role: str
) -> None:
    bucket = scene.store.bucket
    source = ObjectRef(bucket, "photos/room.png")
    scene.store.put(source, encode(make_image()), "image/png")
    data = CHAIR if role == "reference" else LINES
    ref = input_ref(bucket, hashlib.sha256(data).hexdigest(), "png")
    scene.store.put(ref, data, "image/png")
    guide = {f"{role}_image": str(ref)} | ({"control_type": "depth"} if role == "control" else {})
    job_id = workshop.receive({"source": str(source), "mask": BOX, **guide})
    assert guided.get(job_id).status is JobStatus.SUCCEEDED
    scene.age(9)
    scene.clean(unknown=True, **KEPT)
    assert ref.key in scene.stored("inputs/")
    scene.age(40)
    scene.clean(unknown=True, **KEPT)
    assert scene.stored() == {source.key}  # what others keep in the bucket is theirs


def test_a_dry_run_says_what_a_clean_does_of_guides(guided: InpaintClient, scene: Scene) -> None:
    for role in ROLES:
        guided.cancel(submit(guided, **ROLES[role]))
    scene.age(40)
    told = scene.clean(dry_run=True, **KEPT)
    assert len(scene.stored("inputs/")) == 3
    done = scene.clean(**KEPT)
    assert told.deleted == done.deleted and scene.stored("inputs/") == set()


def test_a_submit_with_a_guide_that_was_just_cleaned_uploads_it_again(
    guided: InpaintClient, scene: Scene, settings: Settings
) -> None:
    guided.cancel(submit(guided, **ROLES["reference"]))
    scene.age(40)
    scene.clean(AgedStore(settings), **KEPT)
    assert scene.stored("inputs/") == set()
    with InpaintClient(settings, catalogue=CATALOGUE) as fresh:
        job_id = submit(fresh, **ROLES["reference"])
        assert guide_of(fresh, job_id, "reference") in scene.stored("inputs/")


def test_all_outputs_of_a_past_job_go_and_of_a_kept_one_only_what_another_attempt_left(
    guided: InpaintClient, scene: Scene, workshop: Workshop
) -> None:
    past = submit(guided, outputs=3)
    workshop.run(past)
    scene.age(40)
    kept = submit(guided, outputs=2)
    workshop.store.error, workshop.store.after = AccessDenied("The keys are not accepted."), 2
    workshop.run(kept)
    workshop.run(kept)
    assert {key.split("/")[2] for key in scene.stored(f"outputs/{kept}/")} == {"1", "2"}
    scene.clean(**KEPT)
    assert scene.jobs() == {kept}
    assert scene.stored("outputs/") == {
        f"outputs/{kept}/2/{name}" for name in ("result.png", "region.png", "2-result.png")
    }
