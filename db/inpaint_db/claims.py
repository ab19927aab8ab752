"""What a worker says of a job: claim, renew, finish, release. Each is one round trip.

The attempt number is the fencing token: every statement after the claim names it, and changes nothing once another
attempt has been opened. So a worker that froze past its lease and comes back cannot overwrite what replaced it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.ids import new_id
from inpaint_core.status import AttemptStatus, JobStatus, MaskKind
from inpaint_core.tiers import Tier
from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from inpaint_db.channel import RELAY_CHANNEL


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in the hands of a worker, as its attempt `number`."""

    job_id: UUID
    number: int
    model: str
    source_uri: str
    source_sha256: str | None
    mask_uri: str | None
    mask_sha256: str | None
    prompt: str
    negative_prompt: str
    seed: int
    parameters: dict[str, Any]
    deadline: datetime | None
    queue_wait_s: float
    failures: int
    max_attempts: int
    #: Code of the error that ended the attempt before, if one did.
    last_error: str | None = None
    mask_kind: str = MaskKind.OBJECT.value
    mask_shapes: dict[str, Any] | None = None
    #: Options of the edit that differ from the defaults.
    edit: dict[str, Any] = field(default_factory=dict)
    #: Variants to make: seed, seed + 1, and so on.
    outputs: int = 1
    reference_uri: str | None = None
    reference_sha256: str | None = None
    #: None: the model's default.
    reference_strength: float | None = None
    control_uri: str | None = None
    control_sha256: str | None = None
    control_type: str | None = None
    control_strength: float | None = None
    #: What it runs in: as the job says, else as its worker is set.
    tier: str = Tier.EXACT.value


_CLAIM = text("""
WITH claimed AS (
    UPDATE job
       SET status = 'running', attempt = attempt + 1, worker_id = :worker_id, started_at = now(),
           -- Not now(): a claim that had to wait for a lock would begin with a lease that is half over.
           lease_until = clock_timestamp() + make_interval(secs => :lease_s)
     WHERE id = :job_id AND model = :model AND status = 'queued' AND not_before <= now()
       AND failures < max_attempts AND cancel_requested_at IS NULL AND (deadline IS NULL OR deadline > now())
    RETURNING *, extract(epoch FROM now() - greatest(queued_at, not_before))::float8 AS queue_wait_s,
              coalesce(tier, :tier) AS runs_in
), opened AS (
    INSERT INTO attempt (job_id, number, worker_id, environment_id, queue_wait_s, seed, tier, phase)
    SELECT id, attempt, :worker_id, :environment_id, queue_wait_s, seed, runs_in, 'fetch' FROM claimed
)
SELECT id AS job_id, attempt AS number, model, source_uri, source_sha256, mask_uri, mask_sha256, prompt,
       negative_prompt, seed, parameters, deadline, queue_wait_s, failures, max_attempts,
       error_code AS last_error, mask_kind, mask_shapes, edit, outputs, reference_uri, reference_sha256,
       reference_strength, control_uri, control_sha256, control_type, control_strength, runs_in AS tier
  FROM claimed
""")


def claim(
    connection: Connection,
    job_id: UUID,
    *,
    model: str,
    worker_id: UUID,
    environment_id: UUID,
    lease_s: float,
    tier: str = Tier.EXACT.value,
) -> Claimed | None:
    """Take a queued job of `model`; None if it is not there to be taken (running, finished, not yet due, canceled).

    `tier` is what the worker is set to, for a job that names none. What an attempt before ran in binds nobody: it may
    be a tier that the model has no longer, and the job would wait for ever for what it has not asked for.
    """
    row = connection.execute(
        _CLAIM,
        {
            "job_id": job_id,
            "model": model,
            "worker_id": worker_id,
            "environment_id": environment_id,
            "lease_s": lease_s,
            "tier": tier,
        },
    ).one_or_none()
    return Claimed(**row._mapping) if row else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is, as the heartbeat reports it."""

    job_id: UUID
    number: int
    phase: str
    steps_done: int | None
    steps_total: int | None


@dataclass(frozen=True, slots=True)
class Renewed:
    """What the database answers to a heartbeat."""

    #: Attempts whose lease was renewed. One that was asked for and is not here is fenced off: stop it.
    held: frozenset[tuple[UUID, int]]
    #: Attempts that somebody wants to end.
    canceled: frozenset[tuple[UUID, int]]
    #: Whether the worker is still entered. If not (a restored database), it can claim nothing.
    registered: bool = True


_RENEW = text("""
WITH beat AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]), CAST(:phases AS text[]),
                         CAST(:done AS int[]), CAST(:total AS int[]))
                  AS b(job_id, number, phase, steps_done, steps_total)
), alive AS (
    UPDATE worker SET seen_at = now(), state = :state WHERE id = :worker_id RETURNING id
), told AS (
    UPDATE attempt a SET phase = b.phase, steps_done = b.steps_done, steps_total = b.steps_total
      FROM beat b WHERE a.job_id = b.job_id AND a.number = b.number AND a.status = 'running'
       AND a.worker_id = :worker_id
), renewed AS (
    UPDATE job j SET lease_until = now() + make_interval(secs => :lease_s)
      FROM beat b
     WHERE j.id = b.job_id AND j.attempt = b.number AND j.status = 'running' AND j.worker_id = :worker_id
    RETURNING j.id, j.attempt, j.cancel_requested_at IS NOT NULL AS canceled
)
SELECT r.id, r.attempt, r.canceled, EXISTS (SELECT FROM alive) AS registered
  FROM (SELECT) AS always LEFT JOIN renewed r ON true
""")


def renew(
    connection: Connection, worker_id: UUID, state: str, running: Sequence[Progress], *, lease_s: float
) -> Renewed:
    """Say that the worker lives and renew the leases of all its attempts, in one statement."""
    rows = connection.execute(
        _RENEW,
        {
            "worker_id": worker_id,
            "state": state,
            "lease_s": lease_s,
            "ids": [p.job_id for p in running],
            "numbers": [p.number for p in running],
            "phases": [p.phase for p in running],
            "done": [p.steps_done for p in running],
            "total": [p.steps_total for p in running],
        },
    ).all()
    return Renewed(
        frozenset((row.id, row.attempt) for row in rows if row.id is not None),
        frozenset((row.id, row.attempt) for row in rows if row.canceled),
        rows[0].registered,
    )


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """An object that an attempt has stored, before the database knows of it."""

    uri: str
    sha256: str
    format: str
    width: int
    height: int
    size_bytes: int
    seed: int | None
    kind: str = "result"
    number: int = 1
    exact: bool | None = None
    outside_changed_pixels: int | None = None
    #: Levels of 0 to 255; see `inpaint_db.outputs.Output`.
    raw_outside_mean: float | None = None
    raw_outside_max: float | None = None
    raw_outside_changed_share: float | None = None
    inside_change_mean: float | None = None
    inside_deviation: float | None = None
    seam_step: float | None = None
    ring_step: float | None = None


@dataclass(slots=True)
class AttemptReport:
    """What an attempt measured, however it ended. Unknown values stay None."""

    seconds: dict[str, float] = field(default_factory=dict)  #: phase column -> seconds
    peak_memory_bytes: int | None = None
    peak_memory_kind: str | None = None
    first_after_load: bool = False
    steps_done: int | None = None
    steps_total: int | None = None
    parameters: dict[str, Any] | None = None
    #: What reading the inputs changed: name -> {"before": ..., "after": ...}.
    normalised: dict[str, Any] | None = None
    region_pixels: int | None = None
    windows: list[dict[str, Any]] | None = None
    warnings: list[str] | None = None


# One statement moves the job on, closes the attempt and enters the outputs; or, if the attempt is no longer the
# current one, does nothing at all.
_END = """
WITH ended AS (
    UPDATE job SET {change}
     WHERE id = :job_id AND attempt = :number AND status = 'running'
    RETURNING id, attempt
), closed AS (
    UPDATE attempt a
       SET status = :attempt_status, finished_at = now(), phase = NULL, fetch_s = m.fetch_s, prepare_s = m.prepare_s,
           gpu_wait_s = m.gpu_wait_s, inference_s = m.inference_s, composite_s = m.composite_s,
           encode_s = m.encode_s, store_s = m.store_s, peak_memory_bytes = m.peak_memory_bytes,
           peak_memory_kind = m.peak_memory_kind, first_after_load = m.first_after_load, steps_done = m.steps_done,
           steps_total = m.steps_total, parameters = m.parameters, normalised = m.normalised,
           region_pixels = m.region_pixels, windows = m.windows, warnings = m.warnings, error_code = :error_code,
           error_message = :error_message
      FROM ended, jsonb_populate_record(NULL::attempt, :measured) m
     WHERE a.job_id = ended.id AND a.number = ended.attempt AND a.status = 'running'
), stored AS (
    INSERT INTO output (id, job_id, attempt, {columns})
    SELECT o.id, ended.id, ended.attempt, {values}
      FROM ended, jsonb_populate_recordset(NULL::output, :outputs) o
)
SELECT (SELECT count(*) FROM ended) AS ended{wake}
"""
_OUTPUT_COLUMNS = tuple(StoredOutput.__dataclass_fields__)
_OUTPUT = {"columns": ", ".join(_OUTPUT_COLUMNS), "values": ", ".join(f"o.{name}" for name in _OUTPUT_COLUMNS)}
_JSON = (bindparam("measured", type_=JSONB), bindparam("outputs", type_=JSONB))
_FINISH = text(
    _END.format(
        **_OUTPUT,
        wake="",
        change="""status = :status, finished_at = now(), lease_until = NULL, worker_id = NULL,
           failures = failures + :failed, error_code = :error_code, error_message = :error_message""",
    )
).bindparams(*_JSON)
_REQUEUE = text(
    _END.format(
        **_OUTPUT,
        # The relay sends the job again; it need not wait for its next sweep to hear of it.
        wake=f", (SELECT pg_notify('{RELAY_CHANNEL}', '') FROM ended)",  # noqa: S608
        change="""status = CASE WHEN cancel_requested_at IS NULL THEN 'queued' ELSE 'canceled' END,
           finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
           queued_at = now(), published_at = NULL, lease_until = NULL, worker_id = NULL,
           not_before = now() + make_interval(secs => :pause_s), failures = failures + :failed,
           error_code = CASE WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
                             ELSE coalesce(:error_code, error_code) END,
           error_message = CASE WHEN cancel_requested_at IS NOT NULL THEN 'The job was canceled while it ran.'
                                ELSE coalesce(:error_message, error_message) END""",
    )
).bindparams(*_JSON)


def finish(
    connection: Connection,
    claimed: Claimed,
    status: JobStatus,
    report: AttemptReport,
    outputs: Sequence[StoredOutput] = (),
    *,
    error_code: str | None = None,
    error_message: str | None = None,
) -> bool:
    """End the job as `status`, with its outputs; False, and nothing is written, if the attempt is no longer current."""
    values = {
        "status": status.value,
        "attempt_status": AttemptStatus(status.value).value,
        "failed": 1 if status is JobStatus.FAILED else 0,
        "outputs": [{"id": str(new_id()), **asdict(output)} for output in outputs],
    }
    return _end(connection, _FINISH, claimed, report, values, error_code, error_message)


def requeue(
    connection: Connection,
    claimed: Claimed,
    report: AttemptReport,
    *,
    counts: bool,
    pause_s: float = 0,
    error_code: str | None = None,
    error_message: str | None = None,
) -> bool:
    """Give the job back to its queue; False if the attempt is no longer current.

    A job whose end somebody asked for ends here instead: no worker would claim it again.
    `counts`: whether the attempt counts against `max_attempts` (a failure does, a worker that stops does not).
    The relay sends the job's message again when `pause_s` is over.
    """
    status = AttemptStatus.FAILED if counts else AttemptStatus.RELEASED
    values: dict[str, Any] = {"attempt_status": status.value, "pause_s": pause_s, "failed": int(counts), "outputs": []}
    return _end(connection, _REQUEUE, claimed, report, values, error_code, error_message)


def _end(
    connection: Connection,
    statement: TextClause,
    claimed: Claimed,
    report: AttemptReport,
    values: dict[str, Any],
    error_code: str | None,
    error_message: str | None,
) -> bool:
    measured = asdict(report)
    measured |= measured.pop("seconds")
    key = {"job_id": claimed.job_id, "number": claimed.number, "error_code": error_code, "error_message": error_message}
    # Texts of a file that somebody sent may be anywhere in it, and must not keep the end of a job from being written.
    told = _storable({**values, **key, "measured": measured})
    return bool(connection.execute(statement, told).scalar_one())


def _storable(value: Any) -> Any:
    """The same without what Postgres' text and JSON cannot hold: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list | tuple) else value
