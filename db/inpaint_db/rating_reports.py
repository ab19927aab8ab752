"""What statistics and exports ask of ratings: the view that analysts read, so that all say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Stars that count, of one item. `unit`: what was shown, by whomever it was rated; `purpose`: real or repeat.

    `rubric`: its name and version, such as "review 1".
    """

    model: str
    criterion: str
    sample: str
    unit: str
    rater: str
    stars: int
    purpose: str
    rubric: str


@dataclass(frozen=True, slots=True)
class RaterWork:
    """What a rater has done about a run. Checks, `failing` and `same_share` are of all sessions: see `bench.raters`."""

    rater: str
    imported: bool
    ratings: int
    hasty: int
    flagged: int
    checks: int
    checks_failed: int
    #: More than half of the checks of one purpose, of at least three.
    failing: bool
    #: Share of single pictures that got the combination of stars that they give most often; None: they rated none.
    same_share: float | None


def scores_of_run(connection: Connection, run_id: UUID) -> list[ScoreRow]:
    """Stars for results of a run, repeats included, in the order in which they were given."""
    rows = connection.execute(
        text("""
        SELECT v.model, v.criterion, coalesce(v.sample_id, v.job_id)::text AS sample,
               -- A set of trials is the same one however many trials there were by then.
               CASE v.kind WHEN 'trials' THEN 'trials ' || v.model || ' ' || v.sample_id
                    ELSE 'output ' || coalesce(v.trial_ids[1], v.job_id) END AS unit,
               v.rater, v.stars, v.purpose, v.rubric || ' ' || v.rubric_version AS rubric
          FROM bench.ratings_current v
         WHERE v.run_id = :run_id AND v.kind <> 'model' AND v.purpose IN ('real', 'repeat') ORDER BY v.number"""),
        {"run_id": run_id},
    )
    return [ScoreRow(**row._mapping) for row in rows]


def raters_of_run(connection: Connection, run_id: UUID) -> list[RaterWork]:
    """Who has rated results of a run, by name."""
    rows = connection.execute(
        text("""
        SELECT g.*, b.checks, b.checks_failed, b.failing, b.same_share
          FROM (SELECT v.rater, v.imported, count(*) AS ratings, count(*) FILTER (WHERE v.hasty) AS hasty,
                       count(DISTINCT v.item_id) FILTER (WHERE v.flagged) AS flagged
                  FROM bench.ratings_current v
                 WHERE v.run_id = :run_id AND v.kind <> 'model' AND v.purpose = 'real'
                 GROUP BY v.rater, v.imported) g
          JOIN bench.raters b ON b.rater = g.rater ORDER BY g.rater"""),
        {"run_id": run_id},
    )
    return [RaterWork(**row._mapping) for row in rows]


def export_ratings(connection: Connection, run_id: UUID | None) -> list[dict[str, Any]]:
    """Rows of `bench.ratings_current`, checks included, in the order in which they were given; None: all there are."""
    rows = connection.execute(
        text("""
        SELECT * FROM bench.ratings_current v
         WHERE CAST(:run_id AS uuid) IS NULL OR v.run_id = :run_id ORDER BY v.number"""),
        {"run_id": run_id},
    )
    return [dict(row) for row in rows.mappings()]
