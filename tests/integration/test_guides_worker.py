"""What a worker shows its pipeline of reference and control images, what it records, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from factories import encode, make_image, make_mask, sideways
from guide_scene import BOX, CARD, CATALOGUE, FAR, FIXED, PLAIN, SIZE, SOURCE, Workshop
from inpaint_core.guides import ControlType
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.queries import JobView, retry_jobs
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from PIL import Image
from slow_jobs import attempts
from sqlalchemy import text
from stored import objects

Array = npt.NDArray[Any]
CHAIR = Image.new("RGB", (60, 40), (200, 100, 50))


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


def place(width: int = SIZE[0], height: int = SIZE[1]) -> Image.Image:
    """A picture in which every pixel says where it is."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.dstack([x % 256, y % 256, (x // 256) * 16 + y // 256]).astype(np.uint8))


def run(client: InpaintClient, workshop: Workshop, mask: Any = BOX, **fields: Any) -> JobView:
    job_id = client.submit(SOURCE, mask, model=workshop.painter.card.name, **fields).id
    workshop.run(job_id)
    return client.get(job_id)


def parameters(database: Database, job_id: UUID) -> dict[str, Any]:
    with database.read() as connection:
        statement = text("SELECT parameters FROM attempt WHERE job_id = :id ORDER BY number DESC LIMIT 1")
        return dict(connection.execute(statement, {"id": job_id}).scalar_one())


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_reference_is_shown_whole_at_the_strength_of_the_card_or_of_the_job(
    client: InpaintClient, workshop: Workshop, database: Database
) -> None:
    for given, strength in ((None, 0.6), (0.25, 0.25), (0, 0.0)):
        view = run(client, workshop, reference_image=CHAIR, reference_strength=given)
        reference = workshop.painter.seen[-1].reference
        assert view.status is JobStatus.SUCCEEDED and reference is not None and reference.strength == strength
        assert np.array_equal(reference.image, np.asarray(CHAIR))
        assert parameters(database, view.id) == {"reference_strength": strength}
        found = np.asarray(client.result(view.id))
        assert (found[200:300, 300:420] == np.rint(np.array([200, 100, 50]) * strength)).all()


def test_a_reference_without_strength_is_given_none_and_without_any_guide_nothing_is_recorded(
    client: InpaintClient, settings: Settings, database: Database
) -> None:
    workshop = Workshop(settings, database, FIXED)
    view = run(client, workshop, reference_image=CHAIR)
    assert workshop.edit.reference is not None and workshop.edit.reference.strength is None
    assert parameters(database, view.id) == {"reference_strength": None}
    view = run(client, workshop)
    assert parameters(database, view.id) == {}
    assert workshop.painter.seen[-1].reference is None and workshop.painter.seen[-1].control is None


def test_each_window_is_shown_its_own_part_of_the_control_image_and_that_part_is_put_there(
    client: InpaintClient, workshop: Workshop, database: Database
) -> None:
    view = run(client, workshop, FAR, control_image=place(), control_type="depth", reference_image=CHAIR)
    assert view.status is JobStatus.SUCCEEDED and view.windows is not None and len(view.windows) == 2
    whole = np.asarray(place())
    for edit, window in zip(workshop.painter.seen, view.windows, strict=True):
        left, top, right, bottom = window["box"]
        assert edit.control is not None and edit.reference is not None
        assert np.array_equal(edit.control.image, whole[top:bottom, left:right])
        assert (edit.control.kind, edit.control.strength) == (ControlType.DEPTH, 0.8)
    # The pipeline copied it: in the region the result is the map, pixel by pixel, and elsewhere the source.
    found, region = np.asarray(client.result(view.id)), np.zeros(SIZE[::-1], bool)
    for left, top, right, bottom in FAR["boxes"]:
        region[top:bottom, left:right] = True
    assert np.array_equal(found[region], whole[region])
    assert np.array_equal(found[~region], np.asarray(SOURCE)[~region])
    assert parameters(database, view.id) == {
        "reference_strength": 0.6, "control_type": "depth", "control_strength": 0.8,
    }  # fmt: skip


def test_in_windows_that_are_resized_and_padded_the_map_lies_where_the_picture_does(
    client: InpaintClient, settings: Settings, database: Database
) -> None:
    workshop = Workshop(settings, database, FIXED)
    view = run(client, workshop, FAR, control_image=SOURCE, control_type="canny", control_strength=0)
    assert view.status is JobStatus.SUCCEEDED
    assert len(workshop.painter.seen) == len(view.windows or ())
    first = workshop.painter.seen[0]
    # The map is the source: before anything is painted, both must look alike.
    assert first.control is not None and np.array_equal(first.control.image, first.image)
    assert first.control.strength == 0
    for edit in workshop.painter.seen:
        assert edit.control is not None and edit.control.image.shape == edit.image.shape == (256, 256, 3)
        assert np.array_equal(edit.control.image[~edit.region], edit.image[~edit.region])


def test_a_source_and_a_map_that_both_lie_on_their_side_are_laid_over_each_other_upright(
    client: InpaintClient, workshop: Workshop
) -> None:
    upright = make_image(600, 900)
    job_id = client.submit(
        sideways(upright), BOX, model=CARD.name, control_image=encode(place(600, 900)), control_type="canny"
    ).id
    workshop.run(job_id)
    view = client.get(job_id)
    assert view.status is JobStatus.SUCCEEDED, view.error_message
    assert np.array_equal(np.asarray(client.result(job_id))[200:300, 300:420],
                          np.asarray(place(600, 900))[200:300, 300:420])  # fmt: skip


def test_a_pipeline_that_writes_over_its_guides_spoils_no_other_window_and_no_other_output(
    client: InpaintClient, workshop: Workshop
) -> None:
    workshop.painter.spoils = True
    guides = {"reference_image": make_image(70, 50, seed=3), "control_image": place(), "control_type": "canny"}
    for fit in ("crop", "whole"):
        workshop.painter.seen.clear()
        view = run(client, workshop, FAR, outputs=2, edit={"fit": fit}, **guides)
        assert view.status is JobStatus.SUCCEEDED, view.error_message
        windows = len(view.windows or ())
        for number, edit in enumerate(workshop.painter.seen):
            left, top, right, bottom = (view.windows or ())[number % windows]["box"]
            assert edit.reference is not None and edit.control is not None
            assert np.array_equal(edit.reference.image, np.asarray(make_image(70, 50, seed=3)))
            assert np.array_equal(edit.control.image, np.asarray(place())[top:bottom, left:right])


# --- whole messages ---------------------------------------------------------------------------------------------------


def put(store: S3Store, key: str, data: bytes) -> str:
    ref = ObjectRef(store.bucket, key)
    store.put(ref, data, "application/octet-stream")
    return str(ref)


@pytest.fixture
def source(store: S3Store) -> str:
    return put(store, "photos/room.png", encode(SOURCE))


def test_a_message_names_guides_anywhere_in_the_store(
    client: InpaintClient, workshop: Workshop, store: S3Store, source: str
) -> None:
    guides = {
        "reference_image": put(store, "photos/chair.png", encode(CHAIR)), "reference_strength": 1,
        "control_image": put(store, "maps/room.png", encode(place(450, 300))), "control_type": "depth",
    }  # fmt: skip
    view = client.get(workshop.receive({"source": source, "mask": BOX, "outputs": 2, **guides}))
    assert (view.status, view.reference_uri, view.outputs) == (JobStatus.SUCCEEDED, guides["reference_image"], 2)
    edit = workshop.painter.seen[0]
    assert edit.reference is not None and np.array_equal(edit.reference.image, np.asarray(CHAIR))
    assert edit.control is not None and edit.control.image.shape == edit.image.shape


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"control_image": "s3://b-b/x.png", "control_type": "pose"}, "cannot_do", "only canny, depth"),
        ({"negative_prompt": "blur"}, "cannot_do", "test-guided knows no negative prompt. These can: "),
        ({"control_type": "canny"}, "invalid_request", "go together"),
        ({"outputs": 9}, "invalid_request", "outputs: must be from 1 to 8 (found 9)"),
        ({"reference_strength": 1}, "invalid_request", "A reference_strength needs a reference_image."),
    ],
)
def test_a_message_that_asks_for_what_the_model_cannot_do_is_kept_as_a_failed_job_that_says_so(
    client: InpaintClient, workshop: Workshop, source: str, fields: dict[str, Any], code: str, words: str
) -> None:
    view = client.get(workshop.receive({"source": source, "mask": BOX, "prompt": "a chair", **fields}))
    assert (view.status, view.error_code) == (JobStatus.FAILED, code)
    assert words in str(view.error_message) and workshop.painter.seen == []


def test_what_a_message_may_not_ask_for_does_not_run_without_it_when_it_is_retried_by_hand(
    client: InpaintClient, settings: Settings, database: Database, source: str, store: S3Store
) -> None:
    workshop = Workshop(settings, database, PLAIN)
    chair = put(store, "photos/chair.png", encode(CHAIR))
    job_id = workshop.receive({"source": source, "mask": BOX, "reference_image": chair})
    view = client.get(job_id)
    assert (view.status, view.error_code) == (JobStatus.FAILED, "cannot_do")
    assert "test-plain takes no reference image. These can: " in str(view.error_message)
    with database.begin() as connection:
        retry_jobs(connection, [job_id])
    workshop.run(job_id)
    view = client.get(job_id)
    assert workshop.painter.seen == [] and view.status is JobStatus.QUEUED
    assert (view.error_code, view.failures) == ("worker_behind", 0)
    assert "The job has a reference image, which by this worker's catalogue test-plain cannot take" in str(
        view.error_message
    )


def test_a_job_whose_producer_knows_more_of_the_model_waits_for_a_worker_that_does_too(
    client: InpaintClient, settings: Settings, database: Database
) -> None:
    assert CARD.control is not None
    older = CARD.model_copy(update={"control": CARD.control.model_copy(update={"types": (ControlType.CANNY,)})})
    workshop = Workshop(settings, database, older)
    job_id = client.submit(SOURCE, BOX, model=CARD.name, control_image=place(), control_type="depth").id
    workshop.run(job_id)
    view = client.get(job_id)
    assert (view.status, view.error_code, view.failures) == (JobStatus.QUEUED, "worker_behind", 0)
    assert "a control image of the type depth" in str(view.error_message)
    # Of a type that no version knows yet, too.
    with database.begin() as connection:
        connection.execute(text("UPDATE job SET control_type = 'normals'"))
    workshop.run(job_id)
    assert "it does not understand the control type normals" in str(client.get(job_id).error_message)
    with database.begin() as connection:
        connection.execute(text("UPDATE job SET control_type = 'depth'"))
    Workshop(settings, database).run(job_id)
    assert client.get(job_id).status is JobStatus.SUCCEEDED


# --- objects that are not what they were ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["reference", "control"])
def test_a_guide_whose_bytes_have_changed_or_that_is_gone_ends_the_job_and_is_named(
    client: InpaintClient, workshop: Workshop, store: S3Store, role: str
) -> None:
    fields: dict[str, Any] = {f"{role}_image": place()} | ({"control_type": "depth"} if role == "control" else {})
    jobs = [client.submit(SOURCE, BOX, model=CARD.name, **fields).id for _ in range(2)]
    ref = ObjectRef.parse(str(getattr(client.get(jobs[0]), f"{role}_uri")))
    store.put(ref, encode(make_image(*SIZE, seed=5)), "image/png")
    workshop.run(jobs[0])
    view = client.get(jobs[0])
    assert (view.status, view.error_code) == (JobStatus.FAILED, "object_changed")
    assert str(ref) in str(view.error_message) and "Submit the job again." in str(view.error_message)
    store.delete(ref)
    workshop.run(jobs[1])
    view = client.get(jobs[1])
    assert (view.status, view.error_code) == (JobStatus.FAILED, "object_not_found")
    assert ref.key in str(view.error_message)
    assert workshop.painter.seen == [] and not [key for key in objects(store) if key.startswith("outputs/")]


MESSAGES: dict[str, tuple[bytes, str, str]] = {
    "text": (b"a chair, please", "image_unreadable", "The {what} "),
    "nothing": (b"", "image_unreadable", "The {what} is empty (0 bytes)"),
    "60 megapixels": (encode(Image.new("1", (10_000, 6_000))), "image_too_large", "The {what} is 10000x6000"),
    "a GIF": (encode(make_image(), "GIF"), "image_format", "The {what} is a GIF"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_guide_of_a_message_that_cannot_be_read_ends_the_job_at_once_by_its_role(
    client: InpaintClient, workshop: Workshop, store: S3Store, source: str, database: Database, name: str
) -> None:
    data, code, words = MESSAGES[name]
    uri = put(store, "wrong", data)
    for what, fields in (
        ("reference image", {"reference_image": uri}),
        ("control image", {"control_image": uri, "control_type": "canny"}),
    ):
        job_id = workshop.receive({"source": source, "mask": BOX, **fields})
        view = client.get(job_id)
        assert view.status is JobStatus.FAILED and words.format(what=what) in str(view.error_message)
        assert view.error_code == code
        assert attempts(database, job_id) == [(1, "failed")]
    assert workshop.painter.seen == []


def test_a_map_of_a_message_that_has_another_shape_ends_the_job(
    client: InpaintClient, workshop: Workshop, store: S3Store, source: str
) -> None:
    uri = put(store, "maps/tall.png", encode(make_mask(600, 900)))
    view = client.get(workshop.receive({"source": source, "mask": BOX, "control_image": uri, "control_type": "canny"}))
    assert (view.status, view.error_code) == (JobStatus.FAILED, "control_mismatch")
    assert "The control image is 600x900 pixels and the source 900x600" in str(view.error_message)
