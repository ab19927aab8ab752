"""Questions that clients and operators ask of jobs, queues and workers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.errors import JobNotFound
from inpaint_core.status import JobStatus
from sqlalchemy import Connection, RowMapping, text

from inpaint_db.channel import wake_relay
from inpaint_db.jobs import PHASES


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a client sees it. Times are UTC; `seconds` holds the phases of its newest attempt."""

    id: UUID
    model: str
    status: JobStatus
    prompt: str
    seed: int | None
    parameters: dict[str, Any]
    campaign: str | None
    tags: dict[str, str]
    priority: str
    deadline: datetime | None
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    failures: int
    max_attempts: int
    cancel_requested: bool
    #: Why it does not start, if it is queued and something is known.
    waiting_for: str | None
    phase: str | None
    steps_done: int | None
    steps_total: int | None
    seconds: dict[str, float]
    total_s: float | None
    peak_memory_bytes: int | None
    cost_usd: float | None
    cost_unknown_reason: str | None
    source_uri: str | None
    mask_uri: str | None
    #: object, alpha or shapes.
    mask_kind: str
    mask_shapes: dict[str, Any] | None
    #: Options of the edit that differ from the defaults.
    edit: dict[str, Any]
    #: Variants that were asked for; the output below is the first.
    outputs: int
    #: What its newest attempt ran in, or what it asks for; None: never ran, and left to its worker.
    tier: str | None
    reference_uri: str | None
    reference_strength: float | None
    control_uri: str | None
    control_type: str | None
    control_strength: float | None
    output_uri: str | None
    output_sha256: str | None
    output_format: str | None
    output_bytes: int | None
    #: Whether the format of the output keeps every pixel.
    exact: bool | None
    outside_changed_pixels: int | None
    region_share: float | None
    #: What the model changed outside of its mask, and how what it painted sits in the picture: see `job_report`.
    raw_outside_mean: float | None
    raw_outside_max: float | None
    raw_outside_changed_share: float | None
    inside_change_mean: float | None
    inside_deviation: float | None
    seam_step: float | None
    ring_step: float | None
    windows: list[dict[str, Any]] | None
    normalised: dict[str, Any] | None
    warnings: list[str] | None
    error_code: str | None
    error_message: str | None


_JOB = f"""
SELECT j.id, j.model, j.status, j.prompt, j.seed, j.parameters, j.campaign, j.tags, j.priority, j.deadline,
       j.submitted_at, j.started_at, j.finished_at, j.attempt, j.failures, j.max_attempts,
       j.cancel_requested_at IS NOT NULL AS cancel_requested, r.waiting_for, a.phase, a.steps_done, a.steps_total,
       {", ".join("r." + phase for phase in PHASES)}, r.total_s, r.peak_memory_bytes, r.cost_usd,
       r.cost_unknown_reason, j.source_uri, j.mask_uri, j.mask_kind, j.mask_shapes, j.edit, j.outputs,
       r.tier, j.reference_uri, j.reference_strength, j.control_uri, j.control_type, j.control_strength, r.output_uri,
       o.sha256 AS output_sha256, r.output_format, r.output_bytes, r.exact, r.outside_changed_pixels, r.region_share,
       r.raw_outside_mean, r.raw_outside_max, r.raw_outside_changed_share, r.inside_change_mean, r.inside_deviation,
       r.seam_step, r.ring_step,
       r.windows, r.normalised, r.warnings, j.error_code, j.error_message
  FROM job j
  JOIN LATERAL (SELECT * FROM job_report v WHERE v.id = j.id OFFSET 0) r ON true  -- else: the view of every job
  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN output o ON o.uri = r.output_uri
"""  # noqa: S608  (names of columns, not input)


def get_jobs(connection: Connection, job_ids: Collection[UUID]) -> dict[UUID, JobView]:
    """Those of the jobs that exist."""
    rows = connection.execute(text(_JOB + " WHERE j.id = ANY(:ids)"), {"ids": list(job_ids)}).mappings()
    return {row["id"]: _view(row) for row in rows}


def get_job(connection: Connection, job_id: UUID) -> JobView:
    """One job; `JobNotFound` if there is none."""
    found = get_jobs(connection, [job_id])
    if job_id not in found:
        raise JobNotFound(
            f"There is no job {job_id}. `inpaint jobs list` shows the newest; ids are printed at submit.",
            job_id=str(job_id),
        )
    return found[job_id]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; None asks for all. `before` is a job id: the page behind it."""

    statuses: Sequence[JobStatus] = ()
    model: str | None = None
    campaign: str | None = None
    error_code: str | None = None
    since: datetime | None = None
    before: UUID | None = None


_WHERE = """
 WHERE (cardinality(CAST(:statuses AS text[])) = 0 OR j.status = ANY(CAST(:statuses AS text[])))
   AND (CAST(:model AS text) IS NULL OR j.model = :model)
   AND (CAST(:campaign AS text) IS NULL OR j.campaign = :campaign)
   AND (CAST(:error_code AS text) IS NULL OR j.error_code = :error_code)
   AND (CAST(:since AS timestamptz) IS NULL OR j.submitted_at >= :since)
   AND (CAST(:before AS uuid) IS NULL
        OR (j.submitted_at, j.id) < (SELECT b.submitted_at, b.id FROM job b WHERE b.id = :before))
"""


def list_jobs(connection: Connection, where: JobFilter, limit: int) -> list[JobView]:
    """The newest jobs that match, newest first."""
    # The view is joined to a page of ids, not to the whole table. Ids alone do not tell the order: those that another
    # producer has chosen are not always UUIDv7.
    newest = "ORDER BY j.submitted_at DESC, j.id DESC"
    page = f"WITH page AS MATERIALIZED (SELECT j.id FROM job j {_WHERE} {newest} LIMIT :limit)"  # noqa: S608
    statement = f"{page} {_JOB} JOIN page ON page.id = j.id {newest}"
    rows = connection.execute(text(statement), {**_values(where), "limit": limit}).mappings()
    return [_view(row) for row in rows]


def job_statuses(connection: Connection, job_ids: Collection[UUID]) -> dict[UUID, JobStatus]:
    """Where jobs stand; the cheap question of whoever waits for many."""
    statement = text("SELECT id, status FROM job WHERE id = ANY(:ids)")
    return {row.id: JobStatus(row.status) for row in connection.execute(statement, {"ids": list(job_ids)})}


def job_outputs(connection: Connection, job_id: UUID, number: int = 1) -> dict[str, str]:
    """Kind -> address of what the job's newest attempt stored as its output `number`, and the region of all.

    `raw` of further windows is `raw-2` and so on.
    """
    statement = text("""
        SELECT o.kind, o.uri FROM output o JOIN job j ON j.id = o.job_id AND j.attempt = o.attempt
         WHERE j.id = :id AND (o.number = :number OR o.kind = 'region') ORDER BY o.kind""")
    return {row.kind: row.uri for row in connection.execute(statement, {"id": job_id, "number": number})}


def retry_jobs(connection: Connection, job_ids: Collection[UUID]) -> list[UUID]:
    """Put failed, canceled and expired jobs back into their queues with fresh attempts; those that were."""
    statement = text("""
        UPDATE job
           SET status = 'queued', failures = 0, queued_at = now(), not_before = now(), published_at = NULL,
               started_at = NULL, finished_at = NULL, cancel_requested_at = NULL, error_code = NULL,
               error_message = NULL, deadline = CASE WHEN deadline > now() THEN deadline END
         WHERE id = ANY(:ids) AND status IN ('failed', 'canceled', 'expired') AND source_uri IS NOT NULL
        RETURNING id""")
    retried = list(connection.execute(statement, {"ids": list(job_ids)}).scalars())
    if retried:
        wake_relay(connection)
    return retried


@dataclass(frozen=True, slots=True)
class QueueView:
    """A model's queue by the database."""

    model: str
    queued: int
    running: int
    oldest_queued_s: float | None
    workers_ready: int
    workers_loading: int
    succeeded_last_hour: int
    failed_last_hour: int


def list_queues(connection: Connection, *, live_s: float) -> list[QueueView]:
    """Every model that has jobs or workers. A worker lives if it was seen in the last `live_s` seconds."""
    statement = text("""
        SELECT m.name AS model, coalesce(j.queued, 0) AS queued, coalesce(j.running, 0) AS running,
               j.oldest_queued_s, coalesce(w.ready, 0) AS workers_ready, coalesce(w.loading, 0) AS workers_loading,
               coalesce(d.succeeded, 0) AS succeeded_last_hour, coalesce(d.failed, 0) AS failed_last_hour
          FROM model m
          LEFT JOIN (SELECT model, count(*) FILTER (WHERE status = 'queued') AS queued,
                            count(*) FILTER (WHERE status = 'running') AS running,
                            extract(epoch FROM now() - min(queued_at) FILTER (WHERE status = 'queued'))::float8
                              AS oldest_queued_s
                       FROM job WHERE status IN ('queued', 'running') GROUP BY model) j ON j.model = m.name
          LEFT JOIN (SELECT model, count(*) FILTER (WHERE state = 'ready') AS ready,
                            count(*) FILTER (WHERE state = 'loading') AS loading
                       FROM worker WHERE seen_at > now() - make_interval(secs => :live_s) AND state <> 'stopped'
                      GROUP BY model) w ON w.model = m.name
          LEFT JOIN (SELECT model, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
                            count(*) FILTER (WHERE status = 'failed') AS failed
                       FROM job WHERE submitted_at > now() - interval '1 day'
                        AND finished_at > now() - interval '1 hour' GROUP BY model) d ON d.model = m.name
         WHERE j.model IS NOT NULL OR w.model IS NOT NULL OR d.model IS NOT NULL
         ORDER BY m.name""")
    return [QueueView(**row) for row in connection.execute(statement, {"live_s": live_s}).mappings()]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker process that lives, or lately did."""

    id: UUID
    model: str
    state: str
    host: str
    pid: int
    device_name: str
    seen_s_ago: float
    up_s: float
    running: int
    live: bool


def list_workers(connection: Connection, *, live_s: float) -> list[WorkerView]:
    """Workers that have not stopped, and were seen in the last hour; `live` tells which of them still answer."""
    statement = text("""
        SELECT w.id, w.model, w.state, w.host, w.pid, e.device_name,
               extract(epoch FROM now() - w.seen_at)::float8 AS seen_s_ago,
               extract(epoch FROM w.seen_at - w.started_at)::float8 AS up_s,
               (SELECT count(*) FROM job j WHERE j.worker_id = w.id AND j.status = 'running') AS running,
               w.seen_at > now() - make_interval(secs => :live_s) AS live
          FROM worker w JOIN environment e ON e.id = w.environment_id
         WHERE w.state <> 'stopped' AND w.seen_at > now() - interval '1 hour'
         ORDER BY w.model, w.started_at""")
    return [WorkerView(**row) for row in connection.execute(statement, {"live_s": live_s}).mappings()]


def _values(where: JobFilter) -> dict[str, Any]:
    return {
        "statuses": [status.value for status in where.statuses],
        "model": where.model,
        "campaign": where.campaign,
        "error_code": where.error_code,
        "since": where.since,
        "before": where.before,
    }


def _view(row: RowMapping) -> JobView:
    values = {name: row[name] for name in JobView.__slots__ if name != "seconds"}
    values["status"] = JobStatus(row["status"])
    return JobView(**values, seconds={phase: row[phase] for phase in PHASES if row[phase] is not None})
