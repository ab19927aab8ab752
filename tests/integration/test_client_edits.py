"""Submitting masks of every kind and the options of an edit: what is checked, what is stored, what is warned of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from factories import MODEL, count, encode, job_row, make_image, make_mask, make_spec, row
from inpaint_core.edit import EditOptions, Polarity
from inpaint_core.errors import (
    EmptyMask,
    FullMask,
    IdempotencyConflict,
    InvalidRequest,
    JobFailed,
    MaskOutside,
    MaskSizeMismatch,
    NoTransparency,
    RequestError,
    UnreadableImage,
)
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec, MaskShapes
from PIL import Image, ImageChops
from sqlalchemy import text
from stored import complete, objects

BOX = {"boxes": [[10, 10, 40, 30]]}
SHAPES = {"boxes": [[10, 10, 40, 30]], "polygons": [[[50, 10], [90, 10], [70.5, 40]]]}


def erased() -> Image.Image:
    """A picture of which the middle quarter was erased."""
    picture = make_image().convert("RGBA")
    picture.putalpha(ImageChops.invert(make_mask()))
    return picture


def black_on_white() -> Image.Image:
    return ImageChops.invert(make_mask())


def nothing_is_stored(store: S3Store, database: Database) -> None:
    assert objects(store) == set()
    with database.read() as connection:
        assert [count(connection, table) for table in ("job", "image")] == [0, 0]


# --- masks that are no picture ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mapping", "shapes"])
def test_boxes_and_polygons_are_kept_in_the_jobs_row(
    client: InpaintClient, store: S3Store, database: Database, form: str
) -> None:
    mask: Any = SHAPES if form == "mapping" else MaskShapes.model_validate(SHAPES)
    job = client.submit(make_image(), mask, model=MODEL)
    with database.read() as connection:
        stored = job_row(connection, job.id)
        assert count(connection, "image") == 1
    assert (stored["mask_kind"], stored["mask_uri"], stored["mask_sha256"]) == ("shapes", None, None)
    assert stored["mask_shapes"] == SHAPES and stored["source_sha256"] is not None and stored["status"] == "queued"
    view = client.get(job.id)
    assert (view.mask_kind, view.mask_shapes, view.mask_uri) == ("shapes", SHAPES, None)
    assert len(objects(store)) == 1


@pytest.mark.parametrize("form", ["bytes", "pil", "s3"])
def test_the_transparency_of_a_source_is_a_mask(
    client: InpaintClient, store: S3Store, database: Database, form: str
) -> None:
    given: Any = {"bytes": encode(erased()), "pil": erased()}.get(form)
    if form == "s3":
        given = f"s3://{store.bucket}/in/erased.png"
        store.put(ObjectRef.parse(given), encode(erased()), "image/png")
    job = client.submit(given, "alpha", model=MODEL)
    with database.read() as connection:
        stored = job_row(connection, job.id)
        image = row(connection, "image", sha256=stored["source_sha256"])
    assert (stored["mask_kind"], stored["mask_uri"], stored["mask_sha256"]) == ("alpha", None, None)
    assert stored["mask_shapes"] is None and image["masked_pixels"] is None
    assert len(objects(store)) == 1


def test_a_file_called_alpha_is_a_path(client: InpaintClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("alpha").write_bytes(encode(make_mask()))
    for mask in (Path("alpha"), "./alpha"):
        assert client.get(client.submit(make_image(), mask, model=MODEL).id).mask_kind == "object"
    with pytest.raises(NoTransparency):
        client.submit(make_image(), "alpha", model=MODEL)


def test_a_source_that_is_known_is_read_again_if_its_transparency_is_the_mask(
    client: InpaintClient, settings: Settings, store: S3Store
) -> None:
    """That it was taken as a picture says nothing of what is transparent in it."""
    opaque = client.get(client.submit(make_image(), make_mask(), model=MODEL).id).source_uri
    pierced = client.get(client.submit(erased(), make_mask(), model=MODEL).id).source_uri
    assert opaque is not None and pierced is not None
    for fresh in (False, True):
        with InpaintClient(settings) as other:
            asked = other if fresh else client
            with pytest.raises(NoTransparency, match=opaque):
                asked.submit(opaque, "alpha", model=MODEL)
            assert asked.submit(pierced, "alpha", model=MODEL).created


# --- pictures of masks in other readings ------------------------------------------------------------------------------


def test_only_the_usual_reading_of_a_mask_is_recorded_and_trusted(
    client: InpaintClient, settings: Settings, database: Database
) -> None:
    first = client.get(client.submit(make_image(), make_mask(), model=MODEL).id)
    second = client.get(client.submit(make_image(), black_on_white(), model=MODEL, edit={"polarity": "black"}).id)
    with database.read() as connection:
        marked = "SELECT masked_pixels FROM image i JOIN job j ON j.mask_sha256 = i.sha256 WHERE j.id = :id"
        found = [connection.execute(text(marked), {"id": view.id}).scalar() for view in (first, second)]
    assert found == [48 * 32, None]
    assert first.mask_uri is not None and second.mask_uri is not None
    with InpaintClient(settings) as other:
        for edit in ({"polarity": "transparent"}, EditOptions(polarity=Polarity.TRANSPARENT)):
            with pytest.raises(NoTransparency, match=first.mask_uri):
                other.submit(make_image(), first.mask_uri, model=MODEL, edit=edit)
        assert other.submit(make_image(), first.mask_uri, model=MODEL).created
        assert other.submit(make_image(), second.mask_uri, model=MODEL).created, "white marks something, too"
    with database.read() as connection:
        assert connection.execute(text(marked), {"id": second.id}).scalar() == 96 * 64 - 48 * 32


def test_options_are_kept_as_far_as_they_differ(client: InpaintClient, database: Database) -> None:
    edit = {"polarity": "white", "grow": 8, "fit": "whole", "format": "webp", "quality": 80, "keep_raw": True}
    job = client.submit(make_image(), make_mask(), model=MODEL, edit=edit)
    said = {"grow": 8, "fit": "whole", "format": "webp", "quality": 80, "keep_raw": True}
    assert client.get(job.id).edit == said
    assert client.get(client.submit(make_image(), make_mask(), model=MODEL).id).edit == {}
    assert client.get(client.submit(make_image(), make_mask(), model=MODEL, edit=EditOptions()).id).edit == {}


def test_a_mask_of_another_size_is_resized_if_that_is_asked_for(client: InpaintClient) -> None:
    large = make_mask(960, 640)
    with pytest.raises(MaskSizeMismatch, match="resize_mask"):
        client.submit(make_image(), large, model=MODEL)
    assert client.submit(make_image(), large, model=MODEL, edit={"resize_mask": True}).created
    with pytest.raises(EmptyMask):  # it is so small that nothing is left of it
        client.submit(make_image(), make_mask(960, 640, box=(3, 3, 5, 5)), model=MODEL, edit={"resize_mask": True})


def test_one_portion_may_read_one_mask_in_several_ways(client: InpaintClient) -> None:
    """By its size, too: the same mask is resized to each source."""
    mask, small, large = encode(black_on_white()), encode(make_image()), encode(make_image(192, 128))
    specs = [
        JobSpec(small, mask, MODEL, edit={"polarity": "black"}),
        JobSpec(small, mask, MODEL),
        JobSpec(large, mask, MODEL, edit={"resize_mask": True}),
        JobSpec(large, SHAPES, MODEL),
        JobSpec(encode(erased()), "alpha", MODEL),
    ]
    assert [answer.created for answer in client.submit_many(specs)] == [True] * 5
    with pytest.raises(MaskSizeMismatch) as caught:
        list(client.submit_many([*specs, JobSpec(large, mask, MODEL)]))
    assert caught.value.index == 5


def test_a_repeated_key_with_other_options_is_another_request(client: InpaintClient) -> None:
    source, mask = encode(make_image()), encode(make_mask())
    spec = JobSpec(source, mask, MODEL, idempotency_key="k", edit={"grow": 8})
    (first,) = client.submit_many([spec])
    (again,) = client.submit_many([replace(spec, edit=EditOptions(grow=8))])
    assert (again.id, again.created) == (first.id, False)
    for changed in (replace(spec, edit={"grow": 9}), replace(spec, edit=None), replace(spec, mask=BOX)):
        with pytest.raises(IdempotencyConflict):
            list(client.submit_many([changed]))


# --- nothing is stored of what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"mask": "alpha"}, NoTransparency, "The source has no transparency (its mode is RGB)"),
        ({"mask": "alpha", "source": make_image(mode="RGBA")}, EmptyMask, "transparency of the source marks nothing"),
        ({"mask": "alpha", "source": Image.new("RGBA", (8, 8))}, FullMask, "marks the whole picture"),
        ({"mask": "alpha", "source": b"nothing"}, UnreadableImage, "The source is not an image"),
        ({"mask": {}}, InvalidRequest, "at least one box or polygon"),
        ({"mask": {"boxs": []}}, InvalidRequest, "mask.boxs is not a field of a mask of shapes"),
        ({"mask": {"boxes": [[96, 0, 100, 9]]}}, MaskOutside, "outside of the picture, which is 96x64"),
        ({"mask": {"boxes": [[0, 0, 96, 64]]}}, FullMask, "cover the whole picture"),
        ({"edit": {"grw": 1}}, InvalidRequest, "edit.grw is not a field of edit"),
        ({"edit": {"grow": -1}}, InvalidRequest, "edit.grow"),
        ({"edit": {"polarity": "black"}, "mask": Image.new("L", (96, 64), 255)}, EmptyMask, "darkest pixel is 255"),
        ({"edit": {"polarity": "transparent"}}, NoTransparency, "The mask has no transparency"),
        ({"edit": {"threshold": 255}, "mask": Image.new("L", (96, 64), 254)}, EmptyMask, "white (from 255)"),
        ({"edit": {"format": "webp"}, "source": Image.new("L", (16_384, 4)), "mask": {"boxes": [[0, 0, 99, 2]]}},
         InvalidRequest, "the source is 16384x4 pixels, and webp holds at most 16,383 on a side. Take png."),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_is_wrong_is_refused_before_anything_is_stored(
    client: InpaintClient,
    store: S3Store,
    database: Database,
    fields: dict[str, Any],
    error: type[RequestError],
    words: str,
) -> None:
    with pytest.raises(error) as caught:
        list(client.submit_many([make_spec(), make_spec(**fields)]))
    assert words in caught.value.message and caught.value.index == 1
    with pytest.raises(error):
        client.check(make_spec(**fields))
    nothing_is_stored(store, database)


def test_the_first_spec_that_is_wrong_is_told_whatever_is_wrong_with_it(client: InpaintClient) -> None:
    """Sources are read before masks, but the answer does not tell."""
    bad_mask, bad_source = make_spec(mask=b"nothing"), make_spec(source=b"nothing")
    for specs, words in (([bad_mask, bad_source], "The mask"), ([bad_source, bad_mask], "The source")):
        with pytest.raises(UnreadableImage, match=words) as caught:
            list(client.submit_many([make_spec(), *specs]))
        assert caught.value.index == 1


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "event", "facts"),
    [
        ({"mask": make_mask(box=(0, 0, 94, 63))}, "mask_marks_most", {"share": "99.0%"}),
        ({"mask": {"boxes": [[0, 0, 96, 63]]}}, "mask_marks_most", {"share": "98.4%"}),
        ({"mask": {"boxes": [[5, 5, 12, 14]]}}, "mask_marks_little", {"pixels": "63 of 6,144"}),
        ({"mask": make_mask(box=(5, 5, 5, 5))}, "mask_marks_little", {"pixels": "1 of 6,144"}),
        ({"mask": make_mask(64, 64), "edit": {"resize_mask": True}}, "mask_stretched",
         {"mask": "64x64", "source": "96x64"}),
        ({"mask": BOX, "edit": {"polarity": "black", "threshold": 9}}, "mask_options_unused",
         {"options": "polarity, threshold", "mask": "shapes"}),
        ({"source": erased(), "edit": {"format": "jpeg"}}, "jpeg_has_no_transparency", {}),
        ({"prompt": "a sofa"}, "prompt_ignored", {"model": MODEL}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_looks_like_a_mistake_is_warned_of_and_queued(
    client: InpaintClient, fields: dict[str, Any], event: str, facts: dict[str, str]
) -> None:
    with structlog.testing.capture_logs() as heard:
        (answer,) = client.submit_many([make_spec(**fields)])
    assert answer.created
    warnings = [entry for entry in heard if entry["log_level"] == "warning"]
    assert warnings == [{"event": event, "log_level": "warning", **facts}]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mask": BOX, "edit": {"grow": 4, "format": "jpeg"}},
        {"mask": {"boxes": [[0, 0, 8, 8]]}},
        {"source": erased(), "mask": "alpha", "edit": {"threshold": 200}},
        {"source": erased(), "edit": {"format": "webp"}},
        {"mask": make_mask(192, 128), "edit": {"resize_mask": True}},
        {"edit": {"format": "avif"}},
    ],
    # Not by str: where a picture lies in memory is another in each process that runs tests.
    ids=["nothing", "opaque", "shapes", "erased to alpha", "erased to webp", "resized", "avif"],
)
def test_what_is_usual_is_not_warned_of(client: InpaintClient, fields: dict[str, Any]) -> None:
    with structlog.testing.capture_logs() as heard:
        list(client.submit_many([make_spec(**fields)]))
    assert [entry for entry in heard if entry["log_level"] == "warning"] == []


# --- outputs by kind --------------------------------------------------------------------------------------------------


def test_outputs_are_fetched_by_their_kind(
    client: InpaintClient, database: Database, store: S3Store, tmp_path: Path
) -> None:
    job = client.submit(make_image(), BOX, model=MODEL)
    with pytest.raises(JobFailed, match="is queued and has no output yet"):
        client.result_bytes(job.id, "region")
    complete(database, store, job.id)
    region = f"s3://{store.bucket}/outputs/{job.id}/1/region.png"
    store.put(ObjectRef.parse(region), encode(make_mask()), "image/png")
    with database.begin() as connection:
        connection.execute(
            text("""INSERT INTO output (id, job_id, attempt, kind, uri, sha256, format, width, height, size_bytes)
                    SELECT gen_random_uuid(), job_id, attempt, 'region', :uri, sha256, 'PNG', 96, 64, 9 FROM output"""),
            {"uri": region},
        )
    assert client.result(job.id).mode == "RGB" and client.result(job.id, "region").mode == "L"
    assert client.download(job.id, tmp_path) == tmp_path / f"{job.id}.png"
    assert client.download(job.id, tmp_path, "region") == tmp_path / f"{job.id}-region.png"
    assert client.download(job.id, tmp_path / "x.png", kind="region").read_bytes() == encode(make_mask())
    with pytest.raises(InvalidRequest, match=r"no output of the kind 'raw'; it has region, result\. .*keep_raw"):
        client.result_bytes(job.id, "raw")
    with pytest.raises(InvalidRequest, match=r"no output of the kind 'picture'; it has region, result\.$"):
        client.result_bytes(job.id, "picture")
