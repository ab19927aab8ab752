"""Statements about benchmark runs: planned as a whole, then job by job attached to what was planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.acceleration import changes_pictures
from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from inpaint_core.status import JobStatus
from inpaint_core.tiers import Tier
from sqlalchemy import Connection, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from inpaint_db.runs import ModelVersion, Run, Trial


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run consists of: every model on every sample with every seed."""

    dataset_version_id: UUID
    models: Sequence[str]
    #: Names of samples; None: all of the dataset.
    samples: Sequence[str] | None
    seeds: Sequence[int]
    #: Overrides by model; under "*" for each model that has such a parameter.
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    edit: Mapping[str, Any] = field(default_factory=dict)
    imported: bool = False
    note: str = ""
    #: What all of its jobs ask for: a worker's own setting has no say in a comparison.
    tier: str = Tier.EXACT.value

    def as_row(self) -> dict[str, Any]:
        """Columns of `run` that make two runs the same; the note is not one of them."""
        return {
            "dataset_version_id": self.dataset_version_id,
            "models": list(self.models),
            "samples": None if self.samples is None else list(self.samples),
            "seeds": list(self.seeds),
            "parameters": {model: dict(given) for model, given in self.parameters.items()},
            "edit": dict(self.edit),
            "imported": self.imported,
            "tier": self.tier,
        }


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, and how many of its trials stand where."""

    id: UUID
    name: str
    dataset: str
    dataset_version: str
    dataset_version_id: UUID
    models: list[str]
    samples: list[str] | None
    seeds: list[int]
    parameters: dict[str, dict[str, Any]]
    edit: dict[str, Any]
    tier: str
    imported: bool
    note: str
    created_at: datetime
    trials: int
    #: Trials that have a result.
    succeeded: int
    #: Trials whose job failed, was canceled or expired.
    failed: int

    @property
    def left(self) -> int:
        """Trials that have neither ended nor failed."""
        return self.trials - self.succeeded - self.failed


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial and how its job stands; `status` None: not yet submitted."""

    id: UUID
    model: str
    sample_id: UUID
    sample: str
    number: int
    seed: int
    job_id: UUID | None
    status: JobStatus | None


_RUNS = """
SELECT r.id, r.name, v.dataset, v.version AS dataset_version, r.dataset_version_id, r.models, r.samples, r.seeds,
       r.parameters, r.edit, r.tier, r.imported, r.note, r.created_at, count(t.id) AS trials,
       count(t.id) FILTER (WHERE t.imported_at IS NOT NULL OR j.status = 'succeeded') AS succeeded,
       count(t.id) FILTER (WHERE j.status IN ('failed', 'canceled', 'expired')) AS failed
  FROM run r JOIN dataset_version v ON v.id = r.dataset_version_id
  LEFT JOIN trial t ON t.run_id = r.id LEFT JOIN job j ON j.id = t.job_id
"""
_GROUPED = " GROUP BY r.id, v.id ORDER BY r.created_at DESC, r.id DESC"
#: Before the rest: runs that have something to look at.
_RESULTS_FIRST = (
    " GROUP BY r.id, v.id ORDER BY bool_or(t.imported_at IS NOT NULL OR j.status = 'succeeded') DESC NULLS LAST,"
    " r.created_at DESC, r.id DESC"
)


def list_runs(connection: Connection, limit: int = 1_000) -> list[RunRow]:
    """The newest runs first."""
    rows = connection.execute(text(_RUNS + _GROUPED + " LIMIT :limit"), {"limit": limit})
    return [RunRow(**row._mapping) for row in rows]


def find_run(connection: Connection, name: str, *, with_results: bool = False) -> RunRow:
    """A run by its name, or the newest for "latest"; `InvalidRequest` with the newest names if there is none.

    `with_results`: of those that have a result the newest, if there are any. For whoever wants to look at results.
    """
    if name == "latest":
        order = _RESULTS_FIRST if with_results else _GROUPED
        found = [RunRow(**row._mapping) for row in connection.execute(text(f"{_RUNS}{order} LIMIT 1"))]
    else:
        rows = connection.execute(text(_RUNS + " WHERE r.name = :name" + _GROUPED), {"name": name})
        found = [RunRow(**row._mapping) for row in rows]
    if found:
        return found[0]
    known = ", ".join(row.name for row in list_runs(connection, 5)) or "none yet"
    raise InvalidRequest(f"There is no run {name!r}; the newest are: {known}.", field="run")


def insert_run(connection: Connection, name: str, plan: RunPlan, sample_ids: Sequence[UUID]) -> RunRow:
    """Write a run with all of its trials, or find the one of that name if it is the same.

    `InvalidRequest` if the name belongs to another run.
    """
    row = plan.as_row()
    created = connection.execute(
        upsert(Run).values(id=new_id(), name=name, note=plan.note, **row).on_conflict_do_nothing().returning(Run.id)
    ).scalar()
    if created is None:
        there = find_run(connection, name)
        differing = sorted(key for key, value in row.items() if getattr(there, key) != value)
        if differing:
            raise InvalidRequest(
                f"The run {name!r} is there already, with other {', '.join(differing)}. Give this one another name, or "
                "the same settings to finish that.",
                field="name",
            )
        return there
    # A model's jobs one after another, so that its worker stays in one state; all samples before the next seed, so
    # that a run that is stopped early has something of each.
    trials = [
        {"id": new_id(), "run_id": created, "model": model, "sample_id": sample_id, "number": number, "seed": seed}
        for model in plan.models
        for number, seed in enumerate(plan.seeds, start=1)
        for sample_id in sample_ids
    ]
    if not plan.imported:
        connection.execute(insert(Trial), trials)
    return find_run(connection, name)


def same_unfinished(connection: Connection, plan: RunPlan) -> RunRow | None:
    """The newest run of the same plan that is not finished."""
    wanted = plan.as_row()
    for row in list_runs(connection):
        if row.succeeded < row.trials and all(getattr(row, key) == value for key, value in wanted.items()):
            return row
    return None


_TRIALS = text("""
SELECT t.id, t.model, t.sample_id, s.name AS sample, t.number, t.seed, t.job_id,
       CASE WHEN t.imported_at IS NOT NULL THEN 'succeeded' ELSE j.status END AS status
  FROM trial t JOIN sample s ON s.id = t.sample_id LEFT JOIN job j ON j.id = t.job_id
 WHERE t.run_id = :run_id ORDER BY t.id
""")


def list_trials(connection: Connection, run_id: UUID) -> list[TrialRow]:
    """The trials of a run, in the order in which they were planned."""
    rows = connection.execute(_TRIALS, {"run_id": run_id}).mappings()
    return [TrialRow(**{**row, "status": JobStatus(row["status"]) if row["status"] else None}) for row in rows]


def attach_jobs(connection: Connection, jobs: Mapping[UUID, UUID]) -> None:
    """Note the jobs of trials, by the trials' ids."""
    if not jobs:
        return
    statement = update(Trial).where(Trial.id == bindparam("trial")).values(job_id=bindparam("job"))
    connection.execute(statement, [{"trial": trial, "job": job} for trial, job in jobs.items()])


def adopt_jobs(connection: Connection, run_id: UUID, key: str) -> None:
    """Note jobs that were submitted for trials of a run by a process that died before it did; `key` and the trial's id
    are their idempotency keys.
    """
    connection.execute(
        text("""
        UPDATE trial t SET job_id = j.id FROM job j
         WHERE t.run_id = :run_id AND t.job_id IS NULL AND t.imported_at IS NULL AND j.model = t.model
           AND j.idempotency_key = :key || CAST(t.id AS text)"""),
        {"run_id": run_id, "key": key},
    )


#: What of `environment.runtime` says how a model is held without changing its pictures; some accelerations do.
_NOT_THE_MODEL = ("device", "offload", "acceleration", "compile")


def note_model_versions(connection: Connection, run_id: UUID) -> None:
    """Enter which version of its model each finished trial of a run was made with."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT j.model, e.id AS environment_id, e.runtime, e.packages->>'opencv-python-headless' AS opencv
          FROM trial t JOIN job j ON j.id = t.job_id JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
          JOIN environment e ON e.id = a.environment_id
         WHERE t.run_id = :run_id AND t.model_version_id IS NULL AND j.status = 'succeeded'"""),
        {"run_id": run_id},
    ).all()
    for row in rows:
        version_id = _model_version(connection, row.model, held_as(row.runtime, row.opencv))
        connection.execute(
            text("""
            UPDATE trial t SET model_version_id = :version_id
              FROM job j JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
             WHERE t.run_id = :run_id AND j.id = t.job_id AND j.status = 'succeeded' AND t.model = :model
               AND a.environment_id = :environment_id AND t.model_version_id IS NULL"""),
            {
                "version_id": version_id,
                "run_id": run_id,
                "model": row.model,
                "environment_id": row.environment_id,
            },
        )


def held_as(runtime: Mapping[str, Any], opencv: str | None) -> dict[str, Any]:
    """What of `environment.runtime` tells versions of a model apart; `opencv`: its version, for models that are it."""
    held = {name: value for name, value in runtime.items() if name not in _NOT_THE_MODEL}
    if (changed := changes_pictures(str(runtime.get("acceleration", "")))) is not None:
        held["acceleration"] = changed
    return held or ({"opencv": opencv} if opencv else {})


def _model_version(connection: Connection, model: str, held: dict[str, Any]) -> UUID:
    said = json.dumps([model, held], sort_keys=True, separators=(",", ":"))
    fingerprint = hashlib.sha256(said.encode()).hexdigest()
    values = {"id": new_id(), "model": model, "fingerprint": fingerprint, "held": held, "label": _label(held)}
    connection.execute(upsert(ModelVersion).values(values).on_conflict_do_nothing())
    return connection.execute(select(ModelVersion.id).where(ModelVersion.fingerprint == fingerprint)).scalar_one()


def _label(held: Mapping[str, Any]) -> str:
    """`base 1a2b3c4d, bfloat16, nf4`: commits by role, then everything else that is said."""
    weights: Mapping[str, Mapping[str, Any]] = held.get("weights") or {}
    words = [f"{role} {part['revision'][:8]}" for role, part in weights.items() if part.get("revision")]
    if weights and not words:
        words.append("weights of a folder")
    words += [
        str(value) if name in ("dtype", "quantisation") else f"{name} {value}"
        for name, value in sorted(held.items())
        if name != "weights" and value not in (None, False)
    ]
    return ", ".join(words) or "unknown"
