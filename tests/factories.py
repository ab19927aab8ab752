"""What tests are made of: pictures, masks, requests, jobs and workers, each valid unless a test says otherwise."""

from __future__ import annotations

import hashlib
import io
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

from inpaint_core.catalogue import load_catalogue
from inpaint_core.ids import new_id
from inpaint_core.images import ImageFacts, Limits
from inpaint_core.job import JobRequest
from inpaint_core.status import WorkerState
from inpaint_db.claims import Claimed, StoredOutput, claim
from inpaint_db.dataset_queries import NewSample, insert_version, list_samples
from inpaint_db.measure_queries import Found, MetricRow, register_metrics, save_measures
from inpaint_db.presence import EnvironmentFacts, WorkerIdentity, register_worker, set_worker_state
from inpaint_db.raters import make_rater
from inpaint_db.rating_queries import save_event, save_rating, show_item
from inpaint_db.rating_sessions import SessionRow, make_session
from inpaint_db.run_queries import RunPlan, attach_jobs, insert_run, list_trials, note_model_versions
from inpaint_db.runs import Published
from inpaint_db.submissions import NewJob, insert_images, insert_jobs, register_models
from inpaint_producer import JobSpec
from PIL import Image, ImageDraw
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

LIMITS = Limits(max_bytes=8 << 20, max_pixels=4_000_000, max_side=4_000)
MODEL = "opencv-telea"
_numbers = itertools.count(1)


# --- pictures ---------------------------------------------------------------------------------------------------------


def make_image(width: int = 96, height: int = 64, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture with gradients, edges and a little texture, as a photo has; another `seed` is another picture."""
    across = Image.linear_gradient("L").resize((width, height))
    down = Image.radial_gradient("L").resize((width, height))
    image = Image.merge("RGB", (across, down, across.transpose(Image.Transpose.ROTATE_180)))
    draw = ImageDraw.Draw(image)
    for i in range(6):
        x, y = (i * 37 + seed * 13) % width, (i * 23 + seed * 7) % height
        draw.rectangle((x, y, x + width // 6, y + height // 6), fill=((i * 41 + seed) % 256, 90, 200 - i * 20))
    return image.convert(mode)


def make_mask(width: int = 96, height: int = 64, box: tuple[int, int, int, int] | None = None) -> Image.Image:
    """A mask that is white inside `box` (its middle quarter if none is given)."""
    mask = Image.new("L", (width, height), 0)
    left, top, right, bottom = box or (width // 4, height // 4, width * 3 // 4 - 1, height * 3 // 4 - 1)
    ImageDraw.Draw(mask).rectangle((left, top, right, bottom), fill=255)
    return mask


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def sideways(image: Image.Image) -> bytes:
    """A JPEG as a phone held upright writes it: pixels lying on their side, and EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # displayed after a quarter turn clockwise
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


# --- requests ---------------------------------------------------------------------------------------------------------


def request_data(**fields: Any) -> dict[str, Any]:
    """A valid request as plain data, with some fields replaced."""
    return {"model": MODEL, "source": "s3://inpaint/in/room.jpg", "mask": "s3://inpaint/in/mask.png", **fields}


def make_request(**fields: Any) -> JobRequest:
    """A valid request, with some fields replaced."""
    return JobRequest.model_validate(request_data(**fields))


def make_spec(**fields: Any) -> JobSpec:
    """A spec over two small pictures in memory, with some fields replaced."""
    return JobSpec(**{"source": encode(make_image()), "mask": encode(make_mask()), "model": MODEL, **fields})


# --- rows -------------------------------------------------------------------------------------------------------------


def make_facts(content: str = "room", *, masked_pixels: int | None = None) -> ImageFacts:
    """Facts of an image that nobody has to paint."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return ImageFacts(digest, "PNG", "RGB", 96, 64, 1234, masked_pixels)


def make_jobs(connection: Connection, count: int, *, max_attempts: int = 3, **fields: Any) -> list[UUID]:
    """Queued jobs, inserted as a producer does."""
    request = make_request(**fields)
    register_models(connection, [load_catalogue().card(request.model)])
    jobs = [NewJob(new_id(), request) for _ in range(count)]
    insert_jobs(connection, jobs, max_attempts=max_attempts)
    return [job.id for job in jobs]


def make_job(connection: Connection, *, max_attempts: int = 3, **fields: Any) -> UUID:
    """One queued job; its id."""
    return make_jobs(connection, 1, max_attempts=max_attempts, **fields)[0]


def make_illustrated_job(connection: Connection, **fields: Any) -> UUID:
    """A queued job whose source and mask are known images: the mask marks a quarter."""
    request = make_request(**fields)
    source, mask = make_facts("room"), make_facts("mask", masked_pixels=96 * 64 // 4)
    register_models(connection, [load_catalogue().card(request.model)])
    insert_images(connection, [source, mask])
    job = NewJob(new_id(), request, source.sha256, mask.sha256)
    insert_jobs(connection, [job], max_attempts=3)
    return job.id


def make_worker(
    connection: Connection,
    model: str = MODEL,
    *,
    device_kind: str = "cpu",
    device_name: str = "Test CPU",
    state: WorkerState = WorkerState.READY,
) -> WorkerIdentity:
    """A worker that has registered."""
    facts = EnvironmentFacts(device_kind, device_name, None, None, "3.11", "Linux", {"pillow": "12"})
    card = load_catalogue().card(model)
    worker = register_worker(connection, card, facts, host="testhost", pid=next(_numbers), version="0")
    set_worker_state(connection, worker.id, state)
    return worker


def try_claim(
    connection: Connection,
    job_id: UUID,
    worker: WorkerIdentity,
    *,
    model: str = MODEL,
    lease_s: float = 60,
    tier: str = "exact",
) -> Claimed | None:
    """Claim a job as the worker does."""
    key = {"worker_id": worker.id, "environment_id": worker.environment_id}
    return claim(connection, job_id, model=model, **key, lease_s=lease_s, tier=tier)


def make_running(
    connection: Connection, *, worker: WorkerIdentity | None = None, lease_s: float = 60, **fields: Any
) -> Claimed:
    """A job in the hands of a worker."""
    job_id = make_job(connection, **fields)
    claimed = try_claim(connection, job_id, worker or make_worker(connection), lease_s=lease_s)
    assert claimed is not None
    return claimed


def make_output(claimed: Claimed, kind: str = "result") -> StoredOutput:
    """An object that the attempt has stored."""
    uri = f"s3://inpaint/outputs/{claimed.job_id}/{claimed.number}/{kind}.png"
    return StoredOutput(uri, hashlib.sha256(uri.encode()).hexdigest(), "PNG", 96, 64, 5678, claimed.seed, kind)


def make_trial(connection: Connection, job_id: UUID, *, run: str = "test", model: str = MODEL) -> UUID:
    """A trial whose job is that one, in a run of one sample, with a measure and published numbers beside it."""
    facts = [make_facts("room"), make_facts("mask", masked_pixels=96 * 64 // 4)]
    register_models(connection, [load_catalogue().card(model)])
    insert_images(connection, facts)
    images = {"source": facts[0].sha256, "mask": facts[1].sha256}
    sample = NewSample("one", images, 96, 64, 0.25, prompt="a sofa")
    version, _ = insert_version(connection, "rooms", "1", "0" * 64, [sample])
    samples = [s.id for s in list_samples(connection, version.id)]
    found = insert_run(connection, run, RunPlan(version.id, [model], None, [1]), samples)
    trial = list_trials(connection, found.id)[0]
    attach_jobs(connection, {trial.id: job_id})
    note_model_versions(connection, found.id)
    register_metrics(connection, [MetricRow("seam_ratio", 1, "ratio", "lower", "output", "A test's own")])
    key: dict[str, Any] = {"run_id": found.id, "model": model, "sample_id": samples[0], "trial_id": trial.id}
    save_measures(connection, [Found("seam_ratio", 1, 1.5, None)], **key)
    values = {"source": "review", "model": "A model", "position": 1, "facts": {}}
    connection.execute(insert(Published).values(values).on_conflict_do_nothing())
    return trial.id


def make_rating_session(connection: Connection, *, rater: str = "Ada", **options: Any) -> SessionRow:
    """A session of a rater, over the run `test` unless options say otherwise."""
    who, _ = make_rater(connection, rater)
    if not options.keys() & {"query", "run_id"}:
        options["run_id"] = row(connection, "run", name="test")["id"]
    return make_session(connection, who.id, f"{rater}'s", **{"seed": 1, **options})


def give_stars(connection: Connection, session: SessionRow, position: int, stars: int, *criteria: str) -> list[UUID]:
    """Stars by some criteria (all, if none is named) for the item at a position; ids of the ratings."""
    item = show_item(connection, session.rater_id, session.id, position, bucket="inpaint")
    given = []
    for criterion in criteria or [c.name for c in item.criteria]:
        given.append(new_id())
        save_rating(
            connection, session.rater_id, rating_id=given[-1], item_id=item.id, criterion=criterion, stars=stars
        )
    return given


def make_rating(connection: Connection) -> SessionRow:
    """A session over the run `test` with something said of its first item."""
    session = make_rating_session(connection)
    give_stars(connection, session, 1, 3)
    item = show_item(connection, session.rater_id, session.id, 1, bucket="inpaint")
    save_event(connection, session.rater_id, event_id=new_id(), item_id=item.id, kind="flag", reason="too dark")
    return session


def row(connection: Connection, table: str, **where: Any) -> dict[str, Any]:
    """The one row of `table` with these values."""
    condition = " AND ".join(f"{name} = :{name}" for name in where)
    return dict(connection.execute(text(f"SELECT * FROM {table} WHERE {condition}"), where).mappings().one())


def job_row(connection: Connection, job_id: UUID) -> dict[str, Any]:
    """The job's row."""
    return row(connection, "job", id=job_id)


def count(connection: Connection, table: str) -> int:
    """How many rows `table` has."""
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def let_time_pass(connection: Connection, job_id: UUID, seconds: float) -> None:
    """Move a job's moments into the past, since now() stands still within a transaction."""
    ago = timedelta(seconds=seconds)
    connection.execute(
        text("""UPDATE job SET lease_until = lease_until - :ago, queued_at = queued_at - :ago,
                       not_before = not_before - :ago, published_at = published_at - :ago WHERE id = :id"""),
        {"ago": ago, "id": job_id},
    )
