"""Statements about measures: what is still to be measured, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from inpaint_core.ids import new_id
from inpaint_core.tiers import TierUse
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True, slots=True)
class MetricRow:
    """What a number is; see `inpaint_db.measures.Metric`."""

    name: str
    version: int
    unit: str
    direction: str
    scope: str
    description: str


@dataclass(frozen=True, slots=True)
class Found:
    """A value of a metric, or the reason why there is none."""

    metric: str
    version: int
    value: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Measurable:
    """A finished trial and where its pictures lie. `raws`: addresses in the order of the windows."""

    trial_id: UUID
    run_id: UUID
    model: str
    sample_id: UUID
    number: int
    seed: int
    prompt: str
    edit: dict[str, Any]
    card: dict[str, Any]
    result_uri: str | None
    region_uri: str | None
    windows: list[dict[str, Any]] | None
    raws: tuple[str, ...]
    #: Of an imported result, whose object is named after its content; the addresses are None then.
    output_sha256: str | None
    output_format: str | None
    #: Whether something was left out of it for speed, and the newest result of the same without that.
    lossy: bool
    exact_uri: str | None


#: What is recorded among the parameters of an attempt, and tells of its tier: two attempts that differ in these alone
#: were asked for the same.
TIER_FACTS = ("tier", *TierUse.model_fields, "network_passes", "network_passes_computed")

_REGISTER = text("""
WITH given AS (SELECT * FROM jsonb_populate_recordset(NULL::metric, :rows))
, older AS (
    UPDATE metric m SET current = false FROM given g WHERE m.name = g.name AND m.version <> g.version AND m.current
    RETURNING m.name
)
INSERT INTO metric (name, version, unit, direction, scope, description, current)
SELECT g.name, g.version, g.unit, g.direction, g.scope, g.description, false
  FROM given g WHERE (SELECT count(*) FROM older) >= 0
ON CONFLICT (name, version) DO UPDATE
   SET unit = excluded.unit, direction = excluded.direction, scope = excluded.scope,
       description = excluded.description
""").bindparams(bindparam("rows", type_=JSONB))
_CURRENT = text("""
UPDATE metric m SET current = true FROM jsonb_populate_recordset(NULL::metric, :rows) g
 WHERE m.name = g.name AND m.version = g.version AND NOT m.current
""").bindparams(bindparam("rows", type_=JSONB))


def register_metrics(connection: Connection, metrics: Iterable[MetricRow]) -> None:
    """Make sure that each metric has a row, and that views show these versions."""
    rows = [
        {
            "name": m.name, "version": m.version, "unit": m.unit, "direction": m.direction, "scope": m.scope,
            "description": m.description,
        }
        for m in metrics
    ]  # fmt: skip
    connection.execute(_REGISTER, {"rows": rows})
    connection.execute(_CURRENT, {"rows": rows})


# A trial is to be measured if some current metric has no row for it, or for it and its neighbours together, or if it
# waited for the same in the tier exact.
_UNMEASURED = text("""
SELECT t.id AS trial_id, t.run_id, t.model, t.sample_id, t.number, t.seed, s.prompt, coalesce(j.edit, '{}') AS edit,
       m.card, o.uri AS result_uri, g.uri AS region_uri, a.windows,
       array(SELECT w.uri FROM output w
              WHERE w.job_id = j.id AND w.attempt = j.attempt AND w.number = 1 AND w.kind LIKE 'raw%'
              ORDER BY length(w.kind), w.kind) AS raws,
       t.output_sha256, i.format AS output_format, coalesce(a.tier, r.tier) <> 'exact' AS lossy, x.uri AS exact_uri
  FROM trial t
  JOIN run r ON r.id = t.run_id
  JOIN sample s ON s.id = t.sample_id
  JOIN model m ON m.name = t.model
  LEFT JOIN job j ON j.id = t.job_id
  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN image i ON i.sha256 = t.output_sha256
  LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
  LEFT JOIN output g ON g.job_id = j.id AND g.attempt = j.attempt AND g.kind = 'region'
  LEFT JOIN LATERAL (
        SELECT eo.uri
          FROM trial e
          JOIN job ej ON ej.id = e.job_id AND ej.status = 'succeeded'
          JOIN attempt ea ON ea.job_id = ej.id AND ea.number = ej.attempt AND ea.tier = 'exact'
          JOIN output eo ON eo.job_id = ej.id AND eo.attempt = ej.attempt AND eo.kind = 'result' AND eo.number = 1
         WHERE a.tier <> 'exact' AND e.sample_id = t.sample_id AND e.model = t.model AND e.seed = t.seed
           AND e.model_version_id = t.model_version_id AND ej.edit = j.edit
           AND ea.parameters - CAST(:facts AS text[]) = a.parameters - CAST(:facts AS text[])
         ORDER BY ej.finished_at DESC, e.id DESC LIMIT 1) x ON true
 WHERE t.run_id = :run_id AND (t.imported_at IS NOT NULL OR j.status = 'succeeded')
   AND (:again OR EXISTS (
        SELECT FROM metric k WHERE k.current AND k.scope = 'output' AND NOT EXISTS (
               SELECT FROM measure v WHERE v.trial_id = t.id AND v.metric = k.name AND v.version = k.version))
        OR EXISTS (
        SELECT FROM metric k WHERE k.current AND k.scope = 'trials' AND NOT EXISTS (
               SELECT FROM measure v WHERE v.run_id = t.run_id AND v.model = t.model AND v.sample_id = t.sample_id
                  AND v.trial_id IS NULL AND v.metric = k.name AND v.version = k.version))
        OR x.uri IS NOT NULL AND EXISTS (
        SELECT FROM measure v WHERE v.trial_id = t.id AND v.reason = 'no_exact_trial'))
 ORDER BY t.id
""")


def unmeasured(connection: Connection, run_id: UUID, *, again: bool = False) -> list[Measurable]:
    """Finished trials of a run that some current metric was not computed of; all finished ones with `again`."""
    rows = connection.execute(_UNMEASURED, {"run_id": run_id, "again": again, "facts": list(TIER_FACTS)}).mappings()
    return [Measurable(**{**row, "raws": tuple(row["raws"])}) for row in rows]


# Pairs of trials that were made of the same, in two runs.
_ALIKE = """
  FROM trial t JOIN trial e ON e.sample_id = t.sample_id AND e.model = t.model AND e.seed = t.seed
   AND e.run_id <> t.run_id
  JOIN job j ON j.id = e.job_id AND j.status = 'succeeded'
"""


def runs_alike(connection: Connection, run_id: UUID) -> list[UUID]:
    """Other runs whose results those of a run may have to be held against, and whose versions are not noted yet."""
    statement = f"SELECT DISTINCT e.run_id {_ALIKE} WHERE t.run_id = :run_id AND e.model_version_id IS NULL"
    return list(connection.execute(text(statement), {"run_id": run_id}).scalars())


def runs_waiting(connection: Connection, run_id: UUID) -> list[str]:
    """Names of other runs with results that waited for those of a run, to be held against them."""
    statement = f"""
        SELECT DISTINCT r.name {_ALIKE} JOIN run r ON r.id = t.run_id
         WHERE e.run_id = :run_id AND r.tier <> 'exact'
           AND EXISTS (SELECT FROM measure v WHERE v.trial_id = t.id AND v.reason = 'no_exact_trial')
         ORDER BY r.name"""  # noqa: S608  (nothing of it is input)
    return list(connection.execute(text(statement), {"run_id": run_id}).scalars())


_SAVE = text("""
INSERT INTO measure (id, run_id, model, sample_id, trial_id, metric, version, value, reason)
SELECT m.id, m.run_id, m.model, m.sample_id, m.trial_id, m.metric, m.version, m.value, m.reason
  FROM jsonb_populate_recordset(NULL::measure, :rows) m
ON CONFLICT (run_id, model, sample_id, trial_id, metric, version) DO UPDATE
   SET value = excluded.value, reason = excluded.reason, computed_at = now()
""").bindparams(bindparam("rows", type_=JSONB))


def save_measures(
    connection: Connection,
    found: Sequence[Found],
    *,
    run_id: UUID,
    model: str,
    sample_id: UUID,
    trial_id: UUID | None = None,
) -> None:
    """Write values of a trial, or without one those of all trials of a model on a sample; again replaces them."""
    key: Mapping[str, str | None] = {
        "run_id": str(run_id), "model": model, "sample_id": str(sample_id),
        "trial_id": None if trial_id is None else str(trial_id),
    }  # fmt: skip
    rows = [
        {"id": str(new_id()), **key, "metric": f.metric, "version": f.version, "value": f.value, "reason": f.reason}
        for f in found
    ]
    connection.execute(_SAVE, {"rows": rows})
