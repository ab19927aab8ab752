"""Submitting edits with reference and control images: what is refused before anything is stored, and what is stored."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import count, encode, make_image, make_mask, sideways
from guide_scene import CARD, CATALOGUE, FIXED, PLAIN
from inpaint_core.errors import (
    CannotDo,
    ControlMismatch,
    FormatRefused,
    IdempotencyConflict,
    ImageTooLarge,
    InpaintError,
    InputNotFound,
    InvalidRequest,
    ObjectNotFound,
    TooManyFrames,
    UnreadableImage,
)
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from PIL import Image
from sqlalchemy import text
from stored import objects

SOURCE, CHAIR, LINES = encode(make_image(96, 64)), encode(make_image(50, 80, seed=1)), encode(make_mask(96, 64))
CANNY = {"control_image": LINES, "control_type": "canny"}


@pytest.fixture
def client(settings: Settings) -> Iterator[InpaintClient]:
    with InpaintClient(settings, catalogue=CATALOGUE) as client:
        yield client


def spec(**fields: Any) -> JobSpec:
    return JobSpec(**{"source": SOURCE, "mask": {"boxes": [[10, 10, 40, 30]]}, "model": CARD.name, **fields})


def nothing_is_stored(database: Database, store: S3Store) -> bool:
    with database.read() as connection:
        return objects(store) == set() and [count(connection, table) for table in ("job", "image")] == [0, 0]


def moving(kind: str) -> bytes:
    buffer = io.BytesIO()
    make_image().save(buffer, kind, save_all=True, append_images=[make_image(seed=1)])
    return buffer.getvalue()


WRONG: dict[str, tuple[dict[str, Any], type[InpaintError], str]] = {
    "a model without references": (
        {"model": PLAIN.name, "reference_image": CHAIR}, CannotDo,
        "test-plain takes no reference image. These can: test-fixed, test-guided.",
    ),
    "a model without controls": ({"model": PLAIN.name, **CANNY}, CannotDo, "These can: test-fixed, test-guided."),
    "a type it does not take": ({**CANNY, "control_type": "pose"}, CannotDo, "only canny, depth. Leave it out."),
    "a strength it does not have": (
        {"model": FIXED.name, "reference_image": CHAIR, "reference_strength": 1}, CannotDo, "has no strength",
    ),
    "a negative prompt": ({"negative_prompt": "blur"}, CannotDo, "These can: test-plain."),
    "too many outputs": ({"outputs": 9}, InvalidRequest, "outputs: must be from 1 to 8 (found 9)"),
    "a strength out of range": ({"reference_image": CHAIR, "reference_strength": 2}, InvalidRequest, "found 2"),
    "a type without an image": ({"control_type": "canny"}, InvalidRequest, "go together"),
    "a file that is not there": ({"reference_image": "no/chair.png"}, InputNotFound, "given as the reference)"),
    "a web address": ({"reference_image": "https://x.org/a.png"}, InvalidRequest, "web address"),
    "no image at all": ({"reference_image": 7}, InvalidRequest, "reference: int is not taken as an image"),
    "an object that is not there": ({"reference_image": "s3://{bucket}/no.png"}, ObjectNotFound, "no.png"),
    "a bad address": ({"reference_image": "s3://x"}, InvalidRequest, "must be s3://bucket/key"),
    "nothing": ({"reference_image": b""}, UnreadableImage, "The reference is empty (0 bytes)"),
    "a text": ({**CANNY, "control_image": b"lines, please"}, UnreadableImage, "The control "),
    "sixty megapixels": (
        {"reference_image": encode(Image.new("1", (10_000, 6_000)))}, ImageTooLarge, "The reference is 10000x6000",
    ),
    "a moving GIF": ({"reference_image": moving("GIF")}, FormatRefused, "The reference is a GIF"),
    "a moving WebP": ({"reference_image": moving("WEBP")}, TooManyFrames, "The reference has several frames"),
    "another shape": (
        {**CANNY, "control_image": encode(make_mask(64, 96))}, ControlMismatch,
        "The control image is 64x96 pixels and the source 96x64",
    ),
    "a shape that EXIF turns away": (
        {**CANNY, "control_image": sideways(make_image(64, 96))}, ControlMismatch, "The control image is 64x96",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_check_and_submit_alike_and_nothing_is_stored(
    client: InpaintClient, database: Database, store: S3Store, name: str
) -> None:
    fields, kind, words = WRONG[name]
    fields = {key: value.format(bucket=store.bucket) if isinstance(value, str) else value
              for key, value in fields.items()}  # fmt: skip
    good = spec(prompt="good")
    for ask in (lambda: client.check(spec(**fields)), lambda: list(client.submit_many([good, spec(**fields)]))):
        with pytest.raises(kind) as caught:
            ask()
        assert words in caught.value.message, caught.value.message
    assert caught.value.facts["index"] == 1
    assert nothing_is_stored(database, store)


def test_an_error_names_the_field_as_the_request_does(client: InpaintClient) -> None:
    for fields, name in (
        ({"reference_image": "https://x.org/a.png"}, "reference_image"),
        ({"reference_image": 7}, "reference_image"),
        ({**CANNY, "control_image": "s3://x"}, "control_image"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            client.check(spec(**fields))
        assert caught.value.field == name


def test_guides_are_stored_once_by_content_and_named_in_the_row_of_the_job(
    client: InpaintClient, database: Database, store: S3Store, tmp_path: Path
) -> None:
    (tmp_path / "chair.png").write_bytes(CHAIR)
    forms: list[Any] = [CHAIR, tmp_path / "chair.png", str(tmp_path / "chair.png")]
    asked: dict[str, Any] = {"reference_strength": 0, **CANNY, "control_strength": 2, "outputs": 3}
    ids = [answer.id for answer in client.submit_many(spec(reference_image=form, **asked) for form in forms)]
    [uri] = {client.get(job_id).reference_uri for job_id in ids}
    digest = hashlib.sha256(CHAIR).hexdigest()
    assert uri == f"s3://{store.bucket}/inputs/{digest}.png"
    assert store.get(ObjectRef.parse(uri), 1 << 20) == CHAIR
    view = client.get(ids[0])
    assert (view.outputs, view.reference_strength, view.control_type, view.control_strength) == (3, 0, "canny", 2)
    assert len([key for key in objects(store) if key.startswith("inputs/")]) == 3
    with database.read() as connection:
        rows = connection.execute(text("SELECT reference_sha256, control_sha256 FROM job")).all()
        assert {tuple(row) for row in rows} == {(digest, hashlib.sha256(LINES).hexdigest())}
        assert count(connection, "image") == 3
        report = connection.execute(text("SELECT outputs, with_reference, control_type FROM job_report")).all()
    assert {tuple(row) for row in report} == {(3, True, "canny")}


def test_one_picture_may_be_everything_at_once(client: InpaintClient, store: S3Store) -> None:
    white = Image.new("L", (96, 64), 255)
    white.paste(0, (50, 0, 96, 64))
    data = encode(white)
    job = client.submit(data, data, model=CARD.name, reference_image=data, control_image=data, control_type="depth")
    view = client.get(job.id)
    assert view.source_uri == view.mask_uri == view.reference_uri == view.control_uri
    assert len(objects(store)) == 1


def test_objects_of_other_folders_and_pil_images_are_taken_as_guides(client: InpaintClient, store: S3Store) -> None:
    ref = ObjectRef(store.bucket, "maps/lines.png")
    store.put(ref, LINES, "image/png")
    job = client.submit(
        SOURCE, {"boxes": [[10, 10, 40, 30]]}, model=CARD.name, control_image=str(ref), control_type="canny",
        reference_image=make_image(300, 20, "CMYK"),
    )  # fmt: skip
    view = client.get(job.id)
    assert view.control_uri == str(ref)
    assert str(view.reference_uri).startswith(f"s3://{store.bucket}/inputs/")


def test_a_control_image_that_is_turned_as_the_source_is_fits_it(client: InpaintClient) -> None:
    # Both lie on their side in their files; the map of half the size does not.
    upright = make_image(64, 96)
    for control in (sideways(upright), encode(make_mask(32, 48)), encode(make_mask(64, 96))):
        client.check(spec(source=sideways(upright), control_image=control, control_type="canny"))
    with pytest.raises(ControlMismatch):
        client.check(spec(source=sideways(upright), **CANNY))


def test_a_key_stands_for_its_guides_as_well(client: InpaintClient, database: Database) -> None:
    first = client.submit(**fields(reference_image=CHAIR))
    assert not client.submit(**fields(reference_image=CHAIR)).created
    again = client.submit(**fields(reference_image=f"s3://{client.store.bucket}/inputs/" + name(CHAIR)))
    assert (again.id, again.created) == (first.id, False)
    for other in (
        {}, {"reference_image": encode(make_image(50, 80, seed=2))}, {"reference_image": CHAIR, "outputs": 2},
        {"reference_image": CHAIR, "reference_strength": 0.6}, {"reference_image": CHAIR, **CANNY},
    ):  # fmt: skip
        with pytest.raises(IdempotencyConflict):
            client.submit(**fields(**other))
    with database.read() as connection:
        assert count(connection, "job") == 1


def fields(**more: Any) -> dict[str, Any]:
    return {"source": SOURCE, "mask": {"boxes": [[10, 10, 40, 30]]}, "model": CARD.name, "idempotency_key": "k", **more}


def name(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()}.png"


def test_a_catalogue_of_ones_own_decides_what_a_model_can(settings: Settings, tmp_path: Path) -> None:
    small, more = "stable-diffusion-2-inpainting", "weights.ip_adapter.repo = 'a/b'\nweights.image_encoder.repo = 'a/b'"
    file = tmp_path / "catalogue.toml"
    file.write_text(
        f'[models.{small}]\n{more}\nreference.by = "mine"\nreference.strength = 1\n'
        '[models.mine]\nlike = "z-image-turbo-inpainting"\ntitle = "Mine"\ncontrol.types = ["pose"]\n',
        encoding="utf-8",
    )
    with InpaintClient(settings.model_copy(update={"catalogue": file})) as client:
        client.check(spec(model=small, prompt="a chair", reference_image=CHAIR))
        with pytest.raises(CannotDo, match=rf"opencv-ns takes no reference image\. These can: .*{small}"):
            client.check(spec(model="opencv-ns", reference_image=CHAIR))
        with pytest.raises(CannotDo, match=r"opencv-ns takes no control image\. These can: .*mine"):
            client.check(spec(model="opencv-ns", **{**CANNY, "control_type": "pose"}))
        client.check(spec(model="mine", prompt="a chair", **{**CANNY, "control_type": "pose"}))


def test_a_submit_of_many_reads_a_shared_guide_once_and_tells_the_first_that_is_wrong(
    client: InpaintClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inpaint_producer import intake

    reads: list[str] = []
    inspect: Callable[..., Any] = intake._inspect

    def counted(data: bytes, limits: Any, what: str, use: Any) -> Any:
        reads.append(use.role)
        return inspect(data, limits, what, use)

    monkeypatch.setattr(intake, "_inspect", counted)
    specs = [spec(reference_image=CHAIR, prompt=str(number), **CANNY) for number in range(5)]
    assert len(list(client.submit_many(specs))) == 5
    assert sorted(reads) == ["control", "reference", "source"]
    bad = spec(control_image=encode(make_mask(64, 96)), control_type="canny")
    with pytest.raises(ControlMismatch) as caught:
        list(client.submit_many([*specs, bad, spec(reference_image=b"")]))
    assert caught.value.facts["index"] == 5
