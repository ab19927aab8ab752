"""What there is to be rated: finished trials of a run, or finished jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from inpaint_db.rating_plans import Subject


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which succeeded jobs: those that match all that is given, the newest first."""

    campaign: str | None = None
    model: str | None = None
    jobs: tuple[UUID, ...] = ()
    limit: int = 100

    def as_json(self) -> dict[str, Any]:
        """As it is written down with the session."""
        return {
            "campaign": self.campaign, "model": self.model, "jobs": [str(job) for job in self.jobs],
            "limit": self.limit,
        }  # fmt: skip


_OF_RUN = text("""
SELECT t.id, t.run_id, t.model, t.sample_id, t.job_id, t.number, coalesce(t.output_sha256, o.sha256) AS sha256
  FROM trial t JOIN run r ON r.id = t.run_id JOIN sample s ON s.id = t.sample_id LEFT JOIN job j ON j.id = t.job_id
  LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
 WHERE t.run_id = :run_id AND (t.imported_at IS NOT NULL OR j.status = 'succeeded')
 ORDER BY s.position, array_position(r.models, t.model), t.number
""")

_OF_JOBS = text("""
SELECT t.id, t.run_id, j.model, t.sample_id, j.id AS job_id, t.number, o.sha256
  FROM job j LEFT JOIN trial t ON t.job_id = j.id
  LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
 WHERE j.status = 'succeeded' AND (CAST(:campaign AS text) IS NULL OR j.campaign = :campaign)
   AND (CAST(:model AS text) IS NULL OR j.model = :model)
   AND (cardinality(CAST(:jobs AS uuid[])) = 0 OR j.id = ANY(:jobs))
 ORDER BY j.finished_at DESC, j.id LIMIT :limit
""")


def subjects_of_run(connection: Connection, run_id: UUID | None) -> list[Subject]:
    """Each different result of a run, and for each model and sample with several trials the set, in a fixed order.

    A model that does not vary makes the same picture, byte for byte, in every trial: it is asked of the first alone.
    """
    rows = connection.execute(_OF_RUN, {"run_id": run_id}).all()
    subjects = [_output(row) for row in _different(rows)]
    sets: dict[tuple[str, UUID], list[UUID]] = {}
    for row in rows:
        sets.setdefault((row.model, row.sample_id), []).append(row.id)
    return subjects + [
        Subject("trials", model, run_id, sample_id, tuple(trials), None)
        for (model, sample_id), trials in sets.items()
        if len(trials) > 1
    ]


def subjects_of_jobs(connection: Connection, query: JobQuery) -> list[Subject]:
    """The results of jobs. One that is a trial of a run counts for that run, and equal trials are one picture there."""
    values = {"campaign": query.campaign, "model": query.model, "jobs": list(query.jobs), "limit": query.limit}
    return [_output(row) for row in _different(connection.execute(_OF_JOBS, values).all())]


def unprompted_samples(connection: Connection, run_id: UUID) -> set[UUID]:
    """Samples of a run without a prompt, of which nobody is asked whether it was met: as in `asked_criterion`."""
    rows = connection.execute(
        text(r"""
        SELECT s.id FROM sample s JOIN run r USING (dataset_version_id) WHERE r.id = :run_id AND s.prompt !~ '\S'"""),
        {"run_id": run_id},
    )
    return set(rows.scalars())


def _different(rows: Sequence[Any]) -> list[Any]:
    """Without the trials whose picture an earlier one of the same model, sample and run has made already."""
    first: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        alone = row.id is None or row.sha256 is None
        key = (row.id or row.job_id,) if alone else (row.run_id, row.model, row.sample_id, row.sha256)
        if key not in first or row.number < first[key].number:
            first[key] = row
    return list(first.values())


def _output(row: Any) -> Subject:
    trials = () if row.id is None else (row.id,)
    return Subject("output", row.model, row.run_id, row.sample_id, trials, row.job_id)
