"""What raters have written, how they work, and what the stars of a run rest on: for whoever invited them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Words:
    """A flag, or a skip that stands. `position`: of the item in its session; `reason`: as it was written."""

    kind: str
    reason: str
    rater: str
    session_id: UUID
    session: str
    run: str | None
    position: int
    #: output: one picture; trials: all of a model on a sample.
    item_kind: str
    purpose: str
    model: str
    sample: str | None
    trial_ids: list[UUID]
    job_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RaterStanding:
    """A rater over all sessions. `hasty` of `timed` items got their first stars too soon; items are no checks."""

    id: UUID
    name: str
    kind: str
    note: str
    token_expires_at: datetime | None
    revoked_at: datetime | None
    ratings: int
    timed: int
    hasty: int
    flagged: int
    skipped: int
    checks: int
    checks_failed: int


@dataclass(frozen=True, slots=True)
class RaterSession:
    """A session and how far it is."""

    id: UUID
    rater_id: UUID
    name: str
    run: str | None
    items: int
    done: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Basis:
    """What the stars of a run rest on, hidden checks left out; these are those of sessions about the run."""

    raters: int
    ratings: int
    samples: int
    checks: int
    checks_failed: int


@dataclass(frozen=True, slots=True)
class SampleStars:
    """Mean stars for what a model made of a sample, 0 to 4: over what a rater saw, then over raters."""

    sample_id: UUID
    model: str
    criterion: str
    stars: float
    raters: int


def words_of(connection: Connection, run_id: UUID | None = None, limit: int = 500) -> list[Words]:
    """Flags, and skips that were not thought better of; the newest first. `run_id` None: of everything."""
    rows = connection.execute(
        text("""
        SELECT e.kind, e.reason, p.name AS rater, s.id AS session_id, s.name AS session, n.name AS run, i.position,
               i.kind AS item_kind, i.purpose, i.model, m.name AS sample, i.trial_ids, i.job_id, e.created_at
          FROM rating_event e
          JOIN rating_item i ON i.id = e.item_id
          JOIN rating_session s ON s.id = i.session_id
          JOIN rater p ON p.id = s.rater_id
          LEFT JOIN run n ON n.id = i.run_id
          LEFT JOIN sample m ON m.id = i.sample_id
         WHERE (e.kind = 'flag' OR e.kind = 'skip' AND NOT EXISTS (
                   SELECT FROM rating_event l
                    WHERE l.item_id = e.item_id AND l.kind IN ('skip', 'unskip') AND l.number > e.number))
           AND (CAST(:run_id AS uuid) IS NULL OR i.run_id = :run_id)
         ORDER BY e.number DESC LIMIT :limit"""),
        {"run_id": run_id, "limit": limit},
    )
    return [Words(**row._mapping) for row in rows]


def standing_of_raters(connection: Connection) -> list[RaterStanding]:
    """All raters, the newest first."""
    rows = connection.execute(
        text("""
        SELECT p.id, p.name, p.kind, p.note, p.token_expires_at, p.revoked_at, coalesce(v.ratings, 0) AS ratings,
               coalesce(v.timed, 0) AS timed, coalesce(v.hasty, 0) AS hasty, coalesce(g.flagged, 0) AS flagged,
               coalesce(g.skipped, 0) AS skipped, coalesce(c.checks, 0) AS checks,
               coalesce(c.failed, 0) AS checks_failed
          FROM rater p
          LEFT JOIN (SELECT rater_id, count(*) AS ratings,
                            count(DISTINCT item_id) FILTER (WHERE hasty IS NOT NULL) AS timed,
                            count(DISTINCT item_id) FILTER (WHERE hasty) AS hasty
                       FROM bench.ratings_current WHERE purpose = 'real' GROUP BY rater_id) v ON v.rater_id = p.id
          LEFT JOIN (SELECT s.rater_id, count(*) FILTER (WHERE r.flagged) AS flagged,
                            count(*) FILTER (WHERE r.skipped) AS skipped
                       FROM rating_progress r JOIN rating_session s ON s.id = r.session_id
                      GROUP BY s.rater_id) g ON g.rater_id = p.id
          LEFT JOIN (SELECT rater_id, count(passed) AS checks, count(*) FILTER (WHERE NOT passed) AS failed
                       FROM rating_check GROUP BY rater_id) c ON c.rater_id = p.id
         ORDER BY p.created_at DESC, p.id DESC""")
    )
    return [RaterStanding(**row._mapping) for row in rows]


def all_sessions(connection: Connection) -> list[RaterSession]:
    """Sessions of people, the newest first."""
    rows = connection.execute(
        text("""
        SELECT s.id, s.rater_id, s.name, r.name AS run, n.items, n.done, s.created_at, s.finished_at
          FROM rating_session s
          JOIN rater p ON p.id = s.rater_id AND p.kind = 'person'
          LEFT JOIN run r ON r.id = s.run_id
         CROSS JOIN LATERAL (SELECT count(*) AS items, count(*) FILTER (WHERE i.rated OR i.skipped) AS done
                               FROM rating_progress i WHERE i.session_id = s.id) n
         ORDER BY s.created_at DESC, s.id DESC""")
    )
    return [RaterSession(**row._mapping) for row in rows]


def basis_of_run(connection: Connection, run_id: UUID) -> Basis:
    """How much was said of a run's results, by how many."""
    row = connection.execute(
        text("""
        SELECT count(DISTINCT v.rater_id) AS raters, count(*) AS ratings, count(DISTINCT v.sample_id) AS samples,
               (SELECT count(c.passed) FROM rating_check c JOIN rating_session s ON s.id = c.session_id
                 WHERE s.run_id = :run_id) AS checks,
               (SELECT count(*) FROM rating_check c JOIN rating_session s ON s.id = c.session_id
                 WHERE s.run_id = :run_id AND NOT c.passed) AS checks_failed
          FROM bench.ratings_current v
         WHERE v.run_id = :run_id AND v.kind <> 'model' AND v.purpose = 'real'"""),
        {"run_id": run_id},
    ).one()
    return Basis(**row._mapping)


def stars_of_samples(connection: Connection, run_id: UUID, sample_ids: Sequence[UUID]) -> list[SampleStars]:
    """Mean stars of some samples of a run, by model and criterion, in the review's order of criteria."""
    rows = connection.execute(
        text("""
        SELECT w.sample_id, w.model, w.criterion, avg(w.stars)::float8 AS stars, count(*) AS raters
          FROM (SELECT v.sample_id, v.model, v.criterion, v.rater_id, avg(v.stars) AS stars
                  FROM bench.ratings_current v
                 WHERE v.run_id = :run_id AND v.kind <> 'model' AND v.purpose = 'real'
                   AND v.sample_id = ANY(:sample_ids)
                 GROUP BY v.sample_id, v.model, v.criterion, v.rater_id) w
         GROUP BY w.sample_id, w.model, w.criterion
         ORDER BY array_position(
             ARRAY['realism', 'adaptability', 'consistency', 'preservation', 'reproducibility'], w.criterion)"""),
        {"run_id": run_id, "sample_ids": list(sample_ids)},
    )
    return [SampleStars(**row._mapping) for row in rows]
