"""How far a session is, item by item, and how long each was looked at: what the rating page goes by."""

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
    """An item that somebody is about to rate. `seconds`: for which it was before them; None: never yet."""

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
    """The item at a position of a session of this rater, and how long it was the one that they had open."""
    row = connection.execute(
        text("""
        SELECT i.id AS item_id, s.min_dwell_s,
               CASE WHEN i.shown_at IS NOT NULL
                    THEN i.looked_s + coalesce(extract(epoch FROM clock_timestamp() - i.opened_at)::float8, 0)
               END AS seconds,
               EXISTS (SELECT FROM rating r WHERE r.item_id = i.id) AS has_stars
          FROM rating_session s JOIN rating_item i ON i.session_id = s.id
         WHERE s.id = :session_id AND s.rater_id = :rater_id AND i.position = :position"""),
        {"session_id": session_id, "rater_id": rater_id, "position": position},
    ).one_or_none()
    return None if row is None else Look(**row._mapping)


def open_item(connection: Connection, rater_id: UUID, item_id: UUID) -> None:
    """Note that a rater has an item before them from now on, and no other: nobody looks at two at once.

    So the seconds of all items of a rater add up to no more than the clock's, in however many pages they are open.
    """
    values = {"rater_id": rater_id, "item_id": item_id}
    if connection.execute(text("SELECT opened_at FROM rating_item WHERE id = :item_id"), values).scalar() is not None:
        return
    # Two pages of one rater take turns.
    connection.execute(text("SELECT 1 FROM rater WHERE id = :rater_id FOR NO KEY UPDATE"), values)
    connection.execute(
        text("""
        UPDATE rating_item i
           SET looked_s = i.looked_s + greatest(extract(epoch FROM clock_timestamp() - i.opened_at)::float8, 0),
               opened_at = NULL
          FROM rating_session s
         WHERE s.id = i.session_id AND s.rater_id = :rater_id AND i.opened_at IS NOT NULL AND i.id <> :item_id"""),
        values,
    )
    connection.execute(
        text("""
        UPDATE rating_item SET shown_at = coalesce(shown_at, now()), opened_at = coalesce(opened_at, clock_timestamp())
         WHERE id = :item_id"""),
        values,
    )
