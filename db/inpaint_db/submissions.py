"""How jobs get into the database: one statement for many, and the same answer for a repeated idempotency key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from inpaint_core.card import ModelCard
from inpaint_core.edit import MaskShapes
from inpaint_core.errors import IdempotencyConflict
from inpaint_core.images import ImageFacts
from inpaint_core.job import JobRequest
from inpaint_core.status import JobStatus
from sqlalchemy import Connection, bindparam, case, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from inpaint_db.environments import Model
from inpaint_db.jobs import Job
from inpaint_db.outputs import Image

#: Images of one INSERT: its parameters must stay under the protocol's 65,535.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class NewJob:
    """A checked request, ready to be inserted."""

    id: UUID
    request: JobRequest
    source_sha256: str | None = None
    mask_sha256: str | None = None
    reference_sha256: str | None = None
    control_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission."""

    id: UUID
    model: str
    #: False: a job with this idempotency key was there already, and `id` is that one.
    created: bool
    status: JobStatus


def register_models(connection: Connection, cards: Iterable[ModelCard]) -> None:
    """Make sure that each model has a row, with its newest card."""
    rows = [{"name": c.name, "family": c.family, "card": c.model_dump(mode="json")} for c in cards]
    if not rows:
        return
    new = insert(Model).values(rows)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[Model.name],
            set_={"family": new.excluded.family, "card": new.excluded.card, "updated_at": func.now()},
            where=Model.card != new.excluded.card,
        )
    )


def insert_images(connection: Connection, facts: Collection[ImageFacts]) -> None:
    """Record inputs by content; one that is known keeps its row, and learns its mask area if that was unknown."""
    by_content: dict[str, dict[str, Any]] = {}
    for fact in facts:
        row = asdict(fact)
        known = by_content.setdefault(fact.sha256, row)
        if known["masked_pixels"] is None:
            known["masked_pixels"] = row["masked_pixels"]
    # Sorted, so that two submissions of the same images take their row locks in one order.
    rows = [by_content[sha] for sha in sorted(by_content)]
    for start in range(0, len(rows), _CHUNK):
        new = insert(Image).values(rows[start : start + _CHUNK])
        connection.execute(
            new.on_conflict_do_update(
                index_elements=[Image.sha256],
                set_={"masked_pixels": new.excluded.masked_pixels},
                where=Image.masked_pixels.is_(None) & new.excluded.masked_pixels.is_not(None),
            )
        )


def known_images(connection: Connection, sha256s: Collection[str]) -> dict[str, ImageFacts]:
    """Facts of those images that the database knows."""
    if not sha256s:
        return {}
    rows = connection.execute(select(Image.__table__).where(Image.sha256.in_(sha256s))).mappings()
    return {row["sha256"]: ImageFacts(**{k: row[k] for k in ImageFacts.__slots__}) for row in rows}


# One parameter for any number of rows: as fast to build and to plan for one job as for five hundred.
_COLUMNS = """id, model, source_uri, source_sha256, mask_uri, mask_sha256, mask_kind, mask_shapes, prompt,
    negative_prompt, seed, parameters, edit, outputs, tier, reference_uri, reference_sha256, reference_strength,
    control_uri, control_sha256, control_type, control_strength, campaign, tags, priority, deadline, idempotency_key,
    request_hash, max_attempts"""
_INSERT_JOBS = text(f"""
INSERT INTO job ({_COLUMNS})
SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::job, :rows)
-- In one order, so that two submissions with the same keys wait for each other instead of both.
ORDER BY idempotency_key
ON CONFLICT (idempotency_key) DO NOTHING RETURNING id
""").bindparams(bindparam("rows", type_=JSONB))  # noqa: S608  (names of columns, not input)


def insert_jobs(connection: Connection, jobs: Sequence[NewJob], *, max_attempts: int) -> list[Submitted]:
    """Insert jobs as `queued`, in the order given, and answer for each.

    `IdempotencyConflict` if a key was used before for another request; then nothing of the transaction stays.
    The models and images that the jobs refer to must have their rows.
    """
    rows = [_as_json(_row(job, max_attempts)) for job in jobs]
    created = set(connection.execute(_INSERT_JOBS, {"rows": rows}).scalars())
    repeated = [job for job in jobs if job.id not in created]
    first = _jobs_of_keys(connection, {str(job.request.idempotency_key) for job in repeated}) if repeated else {}
    answers = []
    for job in jobs:
        if job.id in created:
            answers.append(Submitted(job.id, job.request.model, True, JobStatus.QUEUED))
            continue
        row = first[str(job.request.idempotency_key)]
        asked = job.request.fingerprint()
        if row.request_hash != asked:
            raise IdempotencyConflict(
                f"The idempotency key {job.request.idempotency_key!r} belongs to job {row.id}, which asks for "
                f"something else (request hash {row.request_hash[:12]}…, this one {asked[:12]}…). "
                "Use a new key for a new request, or send the same request again.",
                key=job.request.idempotency_key,
                job_id=str(row.id),
                found=row.request_hash,
                asked=asked,
            )
        answers.append(Submitted(row.id, row.model, False, JobStatus(row.status)))
    return answers


def insert_received(connection: Connection, job: NewJob, *, max_attempts: int) -> bool:
    """Insert the job of a whole-request message, once: a repeated delivery finds it there. True if it was new.

    `IdempotencyConflict` if its key belongs to another job. The message itself is the wake-up: it counts as sent.
    """
    row = _row(job, max_attempts) | {"published_at": func.now()}
    created = connection.execute(insert(Job).values(row).on_conflict_do_nothing().returning(Job.id)).scalar()
    if created is not None:
        return True
    if connection.execute(select(Job.id).where(Job.id == job.id)).scalar() is not None:
        return False
    key = str(job.request.idempotency_key)
    first = _jobs_of_keys(connection, {key})[key]
    raise IdempotencyConflict(
        f"The idempotency key {key!r} belongs to job {first.id}, which is {first.status}: look there. "
        "For another edit, use a new key.",
        key=key,
        job_id=str(first.id),
    )


def insert_failed(
    connection: Connection, job_id: UUID, model: str, request: JobRequest | None, code: str, message: str
) -> None:
    """Keep a message that could not be accepted as a failed job, so that its sender finds out why."""
    row: dict[str, Any] = _row(NewJob(job_id, request), 1) if request else {}
    row |= {
        "id": job_id,
        "model": model,
        "status": JobStatus.FAILED.value,
        "finished_at": func.now(),
        "published_at": func.now(),
        "error_code": code,
        "error_message": message,
        "idempotency_key": None,
        "max_attempts": 1,
    }
    row.setdefault("request_hash", "")
    connection.execute(insert(Job).values(row).on_conflict_do_nothing())


_WAITING = text("""
SELECT k.model, k.priority, k.campaign,
       (SELECT count(*) FROM (SELECT FROM job j
                               WHERE j.status = 'queued' AND j.published_at < now()
                                 AND j.model = k.model AND j.priority = k.priority
                                 AND coalesce(j.campaign, '') = k.campaign LIMIT :limit) AS counted) AS waiting
  FROM unnest(CAST(:models AS text[]), CAST(:priorities AS text[]), CAST(:campaigns AS text[]))
       AS k(model, priority, campaign)
""")

#: Model, priority, campaign ('' for none): whose jobs stand in line together.
Line = tuple[str, str, str]


def count_waiting(connection: Connection, lines: Collection[Line], *, up_to: int) -> dict[Line, int]:
    """How many jobs of each of these lines have been sent and wait; counting ends at `up_to`."""
    models, priorities, campaigns = zip(*lines, strict=True) if lines else ((), (), ())
    values = {"models": list(models), "priorities": list(priorities), "campaigns": list(campaigns), "limit": up_to}
    rows = connection.execute(_WAITING, values)
    return {(row.model, row.priority, row.campaign): row.waiting for row in rows}


def mark_published(connection: Connection, job_ids: Sequence[UUID]) -> None:
    """Remember that the messages of these jobs were sent. Jobs that already run or ended do not care.

    Not waited for until it is on disk: if it is lost, the relay sends once more, and the claim refuses the second.
    """
    connection.execute(_MARK_PUBLISHED, {"ids": list(job_ids)})


_MARK_PUBLISHED = text("""
WITH hurry AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE job SET published_at = now() FROM hurry WHERE id = ANY(:ids) AND status = 'queued'
   AND attempt = 0 AND queued_at = submitted_at -- else it has been requeued since, and this message was used up
""")


def request_cancel(connection: Connection, job_id: UUID) -> JobStatus | None:
    """End a queued job at once, or ask the worker of a running one; the status after it, None if there is no job."""
    # One statement for both, or a job that its worker hands back in between would slip through.
    waits = Job.status == JobStatus.QUEUED
    status = connection.execute(
        update(Job)
        .where(Job.id == job_id, Job.status.in_([JobStatus.QUEUED, JobStatus.RUNNING]))
        .values(
            status=case((waits, JobStatus.CANCELED), else_=Job.status),
            finished_at=case((waits, func.now())),
            cancel_requested_at=func.coalesce(Job.cancel_requested_at, func.now()),
        )
        .returning(Job.status)
    ).scalar_one_or_none()
    status = status or connection.execute(select(Job.status).where(Job.id == job_id)).scalar_one_or_none()
    return JobStatus(status) if status else None


def _row(job: NewJob, max_attempts: int) -> dict[str, Any]:
    request = job.request
    return {
        "id": job.id,
        "model": request.model,
        "source_uri": request.source,
        "source_sha256": job.source_sha256,
        "mask_uri": request.mask_uri,
        "mask_sha256": job.mask_sha256,
        "mask_kind": request.mask_kind.value,
        "mask_shapes": request.mask.model_dump(mode="json") if isinstance(request.mask, MaskShapes) else None,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": request.with_seed().seed,
        "parameters": request.parameters,
        "edit": request.edit.said(),
        "outputs": request.outputs,
        "tier": None if request.tier is None else request.tier.value,
        "reference_uri": request.reference_image,
        "reference_sha256": job.reference_sha256,
        "reference_strength": request.reference_strength,
        "control_uri": request.control_image,
        "control_sha256": job.control_sha256,
        "control_type": request.control_type,
        "control_strength": request.control_strength,
        "campaign": request.campaign,
        "tags": dict(request.tags),
        "priority": request.priority.value,
        "deadline": request.deadline,
        "idempotency_key": request.idempotency_key,
        "request_hash": request.fingerprint(),
        "max_attempts": max_attempts,
    }


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    deadline = row["deadline"]
    return {**row, "id": str(row["id"]), "deadline": deadline.isoformat() if deadline else None}


def _jobs_of_keys(connection: Connection, keys: set[str]) -> dict[str, Any]:
    wanted = select(Job.idempotency_key, Job.id, Job.model, Job.status, Job.request_hash)
    rows = connection.execute(wanted.where(Job.idempotency_key.in_(keys))).all()
    return {row.idempotency_key: row for row in rows}
