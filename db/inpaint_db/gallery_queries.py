"""Questions of pages that show single pictures: of a trial, of a job, and of a job's attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.images import FORMATS
from inpaint_core.storage import input_ref
from sqlalchemy import Connection, text

from inpaint_db.jobs import PHASES


@dataclass(frozen=True, slots=True)
class GalleryTrial:
    """A trial of a run as a grid shows it. `failure`: why there is no picture, if it has ended without one."""

    id: UUID
    model: str
    sample_id: UUID
    number: int
    job_id: UUID | None
    status: str
    has_picture: bool
    failure: str | None
    inference_s: float | None
    cost_usd: float | None


def gallery_trials(connection: Connection, run_id: UUID, sample_ids: Sequence[UUID]) -> list[GalleryTrial]:
    """The trials of some samples of a run: by sample, then by model as planned, then by number."""
    rows = connection.execute(
        text("""
        SELECT t.id, t.model, t.sample_id, t.number, t.job_id,
               CASE WHEN t.imported_at IS NOT NULL THEN 'succeeded' ELSE coalesce(j.status, 'planned') END AS status,
               t.output_sha256 IS NOT NULL OR o.uri IS NOT NULL AS has_picture, j.error_message AS failure,
               coalesce(t.inference_s, a.inference_s) AS inference_s, coalesce(t.cost_usd, a.cost_usd) AS cost_usd
          FROM trial t
          JOIN run r ON r.id = t.run_id
          JOIN sample s ON s.id = t.sample_id
          LEFT JOIN job j ON j.id = t.job_id
          LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
          LEFT JOIN attempt_report a ON a.job_id = j.id AND a.number = j.attempt
         WHERE t.run_id = :run_id AND t.sample_id = ANY(:sample_ids)
         ORDER BY s.position, array_position(r.models, t.model), t.number"""),
        {"run_id": run_id, "sample_ids": list(sample_ids)},
    )
    return [GalleryTrial(**row._mapping) for row in rows]


def trial_picture(connection: Connection, trial_id: UUID, bucket: str) -> str | None:
    """Where the result of a trial lies; None if it has none. `bucket`: that of imported results."""
    row = connection.execute(
        text("""
        SELECT t.output_sha256, i.format, o.uri
          FROM trial t
          LEFT JOIN image i ON i.sha256 = t.output_sha256
          LEFT JOIN job j ON j.id = t.job_id
          LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
         WHERE t.id = :id"""),
        {"id": trial_id},
    ).one_or_none()
    if row is None:
        return None
    return str(input_ref(bucket, row.output_sha256, FORMATS[row.format][0])) if row.output_sha256 else row.uri


def sample_picture(connection: Connection, sample_id: UUID, role: str, bucket: str) -> str | None:
    """Where the source or the mask of a sample lies; None if there is no such sample."""
    column = {"source": "source_sha256", "mask": "mask_sha256"}[role]
    row = connection.execute(
        text(f"SELECT i.sha256, i.format FROM sample s JOIN image i ON i.sha256 = s.{column} WHERE s.id = :id"),  # noqa: S608
        {"id": sample_id},
    ).one_or_none()
    return None if row is None else str(input_ref(bucket, row.sha256, FORMATS[row.format][0]))


def jobs_beginning_with(connection: Connection, digits: str, limit: int) -> list[UUID]:
    """Ids of jobs that begin so, the newest first. `digits`: hexadecimal digits, with or without dashes."""
    rows = connection.execute(
        text("""
        SELECT id FROM job WHERE starts_with(replace(id::text, '-', ''), :digits)
         ORDER BY submitted_at DESC, id DESC LIMIT :limit"""),
        {"digits": digits.replace("-", "").lower(), "limit": limit},
    )
    return list(rows.scalars())


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One execution of a job. `seconds` holds its phases, in their order."""

    number: int
    status: str
    started_at: datetime
    finished_at: datetime | None
    device_name: str
    host: str
    first_after_load: bool
    seconds: dict[str, float]
    cost_usd: float | None
    cost_unknown_reason: str | None
    error_code: str | None
    error_message: str | None


def job_attempts(connection: Connection, job_id: UUID) -> list[AttemptView]:
    """The attempts of a job, the first one first; empty for a job that was never begun, or that is not there."""
    phases = ", ".join(f"a.{phase}" for phase in PHASES)
    rows = connection.execute(
        text(f"""
        SELECT a.number, a.status, a.started_at, a.finished_at, r.device_name, w.host, a.first_after_load, {phases},
               r.cost_usd, r.cost_unknown_reason, a.error_code, a.error_message
          FROM attempt a
          JOIN attempt_report r ON r.job_id = a.job_id AND r.number = a.number
          JOIN worker w ON w.id = a.worker_id
         WHERE a.job_id = :id ORDER BY a.number"""),  # noqa: S608  (names of columns, not input)
        {"id": job_id},
    ).mappings()
    found = []
    for row in rows:
        values: dict[str, Any] = {name: row[name] for name in AttemptView.__slots__ if name != "seconds"}
        found.append(AttemptView(**values, seconds={p: row[p] for p in PHASES if row[p] is not None}))
    return found
