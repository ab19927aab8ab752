"""How far a session is, item by item, and how long an item has been looked at: what the rating page goes by."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ItemState:
    """Where an item stands. `kind`: "output" or "trials"."""

    position: int
    kind: str
    rated: bool
    skipped: bool
    flagged: bool


@dataclass(frozen=True, slots=True)
class Look:
    """An item that somebody is about to rate. `seconds`: since it was first shown; None: never yet."""

    item_id: UUID
    seconds: float | None
    min_dwell_s: float
    has_stars: bool


def item_states(connection: Connection, rater_id: UUID, session_id: UUID) -> list[ItemState]:
    """All items of a session of this rater, in their order; empty if there is no such session."""
    rows = connection.execute(
        text("""
        SELECT i.position, i.kind, p.rated, p.skipped, p.flagged
          FROM rating_session s JOIN rating_item i ON i.session_id = s.id JOIN rating_progress p ON p.item_id = i.id
         WHERE s.id = :session_id AND s.rater_id = :rater_id ORDER BY i.position"""),
        {"session_id": session_id, "rater_id": rater_id},
    )
    return [ItemState(**row._mapping) for row in rows]


def median_pace_s(connection: Connection, session_id: UUID) -> float | None:
    """Median seconds that an item of the session took, by its last stars; None while there are too few to tell."""
    found = connection.execute(
        text("""
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.seconds) AS median, count(*) AS items
          FROM (SELECT max(r.duration_s) AS seconds FROM rating_item i JOIN rating r ON r.item_id = i.id
                 WHERE i.session_id = :session_id AND r.duration_s IS NOT NULL GROUP BY i.id) d"""),
        {"session_id": session_id},
    ).one()
    return None if found.items < 3 else float(found.median)


def look_at(connection: Connection, rater_id: UUID, session_id: UUID, position: int) -> Look | None:
    """The item at a position of a session of this rater, and how long it has been there to be seen."""
    row = connection.execute(
        text("""
        SELECT i.id AS item_id, extract(epoch FROM now() - i.shown_at)::float8 AS seconds, s.min_dwell_s,
               EXISTS (SELECT FROM rating r WHERE r.item_id = i.id) AS has_stars
          FROM rating_session s JOIN rating_item i ON i.session_id = s.id
         WHERE s.id = :session_id AND s.rater_id = :rater_id AND i.position = :position"""),
        {"session_id": session_id, "rater_id": rater_id, "position": position},
    ).one_or_none()
    return None if row is None else Look(**row._mapping)
