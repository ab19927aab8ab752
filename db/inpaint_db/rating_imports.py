"""Statements about stars that were given elsewhere, entered under raters of their own in sessions that are finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from inpaint_core.ids import new_id
from sqlalchemy import Connection, insert, text

from inpaint_db.raters import RaterRow
from inpaint_db.rating_plans import Subject
from inpaint_db.ratings import RatingItem, RatingSession
from inpaint_db.rubrics import enter_untold_rubric


@dataclass(frozen=True, slots=True)
class GivenStars:
    """Stars by a criterion. A `subject` of kind "model" is a model as a whole. `rating_id` None: any new one."""

    subject: Subject
    criterion: str
    stars: int
    duration_s: float | None = None
    rating_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class KnownRating:
    """What an id stands for. `sample` is "" where there is none."""

    stars: int
    criterion: str
    model: str
    sample: str


def known_ratings(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, KnownRating]:
    """Those of the ids that stand for ratings already, of whomever."""
    rows = connection.execute(
        text("""
        SELECT r.id, r.stars, r.criterion, i.model, coalesce(m.name, '') AS sample
          FROM rating r JOIN rating_item i ON i.id = r.item_id LEFT JOIN sample m ON m.id = i.sample_id
         WHERE r.id = ANY(:ids)"""),
        {"ids": list(ids)},
    )
    return {row.id: KnownRating(row.stars, row.criterion, row.model, row.sample) for row in rows}


def import_stars(
    connection: Connection, rater: RaterRow, run_id: UUID | None, given: Sequence[GivenStars], *, name: str, via: str
) -> int:
    """Enter stars about one run (None: none); how many were new.

    What says the same as what counts already is left out, so that a file may be read twice; what says otherwise counts
    from now on, and the older stars are kept. `name`: of the session, if one is made. `via`: what they came through.
    """
    # Two imports for one rater take turns.
    connection.execute(text("SELECT 1 FROM rater WHERE id = :id FOR UPDATE"), {"id": rater.id})
    counting = _counting(connection, rater.id)
    items = _items(connection, rater.id, run_id)
    session_id: UUID | None = next((session for _, session in items.values()), None)
    position = len(items)
    fresh_items: list[dict[str, object]] = []
    ratings: list[dict[str, object]] = []
    for row in given:
        found = items.get(_thing(row.subject))
        if found is None:
            session_id = session_id or _make_session(connection, rater.id, run_id, name)
            position += 1
            found = items[_thing(row.subject)] = (uuid4(), session_id)
            fresh_items.append(_item(found[0], session_id, position, row.subject))
        key = (found[0], row.criterion)
        if counting.get(key) == row.stars:
            continue
        counting[key] = row.stars
        ratings.append(
            {
                "id": row.rating_id or new_id(), "item_id": found[0], "criterion": row.criterion, "stars": row.stars,
                "duration_s": row.duration_s, "via": via,
            }
        )  # fmt: skip
    if fresh_items:
        connection.execute(insert(RatingItem), fresh_items)
    if ratings:
        connection.execute(_INSERT, ratings)
    return len(ratings)


_INSERT = text("""
INSERT INTO rating (id, item_id, criterion, stars, supersedes, duration_s, ui_version)
VALUES (:id, :item_id, :criterion, :stars,
        (SELECT c.id FROM current_rating c WHERE c.item_id = :item_id AND c.criterion = :criterion), :duration_s, :via)
""")


def _counting(connection: Connection, rater_id: UUID) -> dict[tuple[UUID, str], int]:
    rows = connection.execute(
        text("""
        SELECT r.item_id, r.criterion, r.stars FROM rating_session s JOIN rating_item i ON i.session_id = s.id
          JOIN current_rating r ON r.item_id = i.id WHERE s.rater_id = :rater_id"""),
        {"rater_id": rater_id},
    )
    return {(row.item_id, row.criterion): row.stars for row in rows}


def _thing(subject: Subject) -> Subject:
    """What stands for a subject. A set of trials is the same one however many trials there are by now."""
    return replace(subject, trial_ids=()) if subject.kind == "trials" else subject


def _items(connection: Connection, rater_id: UUID, run_id: UUID | None) -> dict[Subject, tuple[UUID, UUID]]:
    rows = connection.execute(
        text("""
        SELECT i.* FROM rating_session s JOIN rating_item i ON i.session_id = s.id
         WHERE s.rater_id = :rater_id AND s.run_id IS NOT DISTINCT FROM :run_id"""),
        {"rater_id": rater_id, "run_id": run_id},
    )
    found: dict[Subject, tuple[UUID, UUID]] = {}
    for row in rows:
        subject = Subject(row.kind, row.model, row.run_id, row.sample_id, tuple(row.trial_ids), row.job_id)
        found[_thing(subject)] = (row.id, row.session_id)
    return found


def _make_session(connection: Connection, rater_id: UUID, run_id: UUID | None, name: str) -> UUID:
    session_id = new_id()
    connection.execute(
        insert(RatingSession).values(
            id=session_id, name=name, rater_id=rater_id, rubric_id=enter_untold_rubric(connection).id, run_id=run_id,
            seed=0, check_share=0, min_dwell_s=0, finished_at=text("now()"),
        )
    )  # fmt: skip
    return session_id


def _item(item_id: UUID, session_id: UUID, position: int, subject: Subject) -> dict[str, object]:
    return {
        "id": item_id, "session_id": session_id, "position": position, "purpose": "real", "kind": subject.kind,
        "model": subject.model, "run_id": subject.run_id, "sample_id": subject.sample_id,
        "trial_ids": list(subject.trial_ids), "job_id": subject.job_id,
    }  # fmt: skip
