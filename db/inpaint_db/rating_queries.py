"""Statements of a rater at work: what an item shows, and what is said of it.

Everything is asked in the name of a rater, and another's items are as if they were not there. What a rater may see of
an item is in `ItemView`: never its model or purpose, nor an address that tells a source from a result, so that pages
pass pictures on themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.errors import IdempotencyConflict, InvalidRequest
from sqlalchemy import Connection, text

from inpaint_db.rating_pace import open_item
from inpaint_db.rating_pictures import Picture, pictures_of
from inpaint_db.rating_sessions import lock_session
from inpaint_db.rubrics import CriterionRow, find_rubric

MAX_TEXT = 2_000
#: Ten years: longer than any session, and no more than an interval holds.
_LONGEST_WAIT_S = 315_576_000.0


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as a rater may see it, with the stars that count so far."""

    id: UUID
    session_id: UUID
    position: int
    #: How many items the session has.
    items: int
    #: "output": one result; "trials": several.
    kind: str
    prompt: str
    negative_prompt: str
    criteria: tuple[CriterionRow, ...]
    source: Picture
    #: White is repainted; None only if nobody has stored one.
    mask: Picture | None
    results: tuple[Picture, ...]
    stars: dict[str, int]
    skipped: bool
    flagged: bool
    min_dwell_s: float
    finished: bool


@dataclass(frozen=True, slots=True)
class SavedRating:
    """A rating as it was saved. `again`: it was there already, by the same id."""

    id: UUID
    item_id: UUID
    criterion: str
    stars: int
    number: int
    supersedes: UUID | None
    created_at: datetime
    again: bool


@dataclass(frozen=True, slots=True)
class Undone:
    """A rating that was taken back, and the stars of an earlier one that count again (None: there is none)."""

    rating_id: UUID
    item_id: UUID
    position: int
    criterion: str
    stars: int
    now: int | None


_ITEM = text("""
SELECT i.id, i.session_id, i.position, i.kind, i.purpose, i.damage_seed, i.sample_id, i.trial_ids, i.job_id,
       s.rubric_id, s.min_dwell_s, s.finished_at IS NOT NULL AS finished,
       (SELECT count(*) FROM rating_item n WHERE n.session_id = s.id) AS items
  FROM rating_item i JOIN rating_session s ON s.id = i.session_id
 WHERE s.id = :session_id AND s.rater_id = :rater_id AND i.position = :position
""")
# An item without a prompt is not asked whether it shows what was prompted.
_ASKED = "SELECT array_agg(a.criterion ORDER BY a.position) FROM asked_criterion a WHERE a.item_id = :id"


def show_item(
    connection: Connection, rater_id: UUID, session_id: UUID, position: int, *, bucket: str, note: bool = True
) -> ItemView:
    """The item at a position, from 1. `note`: it is before the rater from now on; without it nothing is written.

    `bucket`: where pictures of samples lie. `InvalidRequest` (`field` "item") if there is none, or the session is
    another's.
    """
    if not 1 <= position < 2**31:
        raise _no_such_item()
    values = {"rater_id": rater_id, "session_id": session_id, "position": position}
    item = connection.execute(_ITEM, values).one_or_none()
    if item is None:
        raise _no_such_item()
    if note:
        open_item(connection, rater_id, item.id)
    progress = connection.execute(
        text(f"SELECT skipped, flagged, ({_ASKED}) AS asked FROM rating_progress WHERE item_id = :id"),  # noqa: S608
        {"id": item.id},
    ).one()
    stars = connection.execute(text("SELECT criterion, stars FROM current_rating WHERE item_id = :id"), {"id": item.id})
    shown = pictures_of(connection, item, bucket)
    return ItemView(
        item.id, item.session_id, item.position, item.items, item.kind, shown.prompt, shown.negative_prompt,
        tuple(c for c in find_rubric(connection, item.rubric_id).criteria if c.name in progress.asked),
        shown.source, shown.mask, shown.results,
        {row.criterion: row.stars for row in stars}, progress.skipped, progress.flagged, item.min_dwell_s,
        item.finished,
    )  # fmt: skip


def save_rating(
    connection: Connection,
    rater_id: UUID,
    *,
    rating_id: UUID,
    item_id: UUID,
    criterion: str,
    stars: int,
    duration_s: float | None = None,
    measured_s: float | None = None,
    waited_s: float = 0.0,
    ui_version: str = "",
) -> SavedRating:
    """Save stars under an id that the client chose. The same again returns what is there, even when finished.

    Of several ratings of an item and criterion the one that was given last counts, from whichever page it comes:
    `waited_s` seconds before it arrives here, which are no more than the session is old. `measured_s`: for how many
    seconds the item was looked at, as far as this side knows (see `look_at`). Refused with `InvalidRequest`, whose
    `field` is "item" (not there, or another's), "criterion", "stars" (not 0 to 4), "duration_s", "waited_s",
    "ui_version" or "session" (finished); with `IdempotencyConflict` if the id stands for another rating.
    """
    session = _session_of(connection, rater_id, item_id)
    there = _rating(connection, rating_id)
    if there is not None:
        return _again(there, item_id, criterion, stars)
    _refuse_finished(session)
    asked = connection.execute(text(_ASKED), {"id": item_id}).scalar_one()
    if criterion not in asked:
        raise InvalidRequest(f"This item is not rated by {criterion!r}, but by {', '.join(asked)}.", field="criterion")
    if isinstance(stars, bool) or not isinstance(stars, int) or not 0 <= stars <= 4:
        raise InvalidRequest(f"stars is {stars!r}; it must be 0, 1, 2, 3 or 4.", field="stars")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s >= 0):
        raise InvalidRequest(f"duration_s is {duration_s}; it must be seconds from 0.", field="duration_s")
    if not (math.isfinite(waited_s) and waited_s >= 0):
        raise InvalidRequest(f"waited_s is {waited_s}; it must be seconds from 0.", field="waited_s")
    row = connection.execute(
        text("""
        INSERT INTO rating (id, item_id, criterion, stars, supersedes, duration_s, measured_s, waited_s, ui_version)
        SELECT :id, :item_id, :criterion, :stars,
               (SELECT c.id FROM current_rating c
                 WHERE c.item_id = :item_id AND c.criterion = :criterion AND c.given_at <= now() - w.waited),
               :duration_s, :measured_s, extract(epoch FROM w.waited)::float8, :ui_version
          FROM rating_session s
         CROSS JOIN LATERAL (SELECT least(make_interval(secs => :waited_s), now() - s.created_at) AS waited) w
         WHERE s.id = :session_id
        ON CONFLICT (id) DO NOTHING
        RETURNING *"""),
        {
            "id": rating_id, "item_id": item_id, "criterion": criterion, "stars": stars, "duration_s": duration_s,
            "measured_s": measured_s, "waited_s": min(waited_s, _LONGEST_WAIT_S), "session_id": session.id,
            "ui_version": _storable(ui_version, "ui_version"),
        },
    ).one_or_none()  # fmt: skip
    # The sessions of two raters do not wait for each other: one of them may have taken the id just now.
    return (
        _again(_rating(connection, rating_id), item_id, criterion, stars) if row is None else _saved(row, again=False)
    )


def save_event(
    connection: Connection, rater_id: UUID, *, event_id: UUID, item_id: UUID, kind: str, reason: str = ""
) -> None:
    """Note that a rater skipped an item ("skip"), thought better of it ("unskip"), or flagged it ("flag").

    The same id again changes nothing. Errors as of `save_rating`; `field` may be "kind" and "reason" too.
    """
    session = _session_of(connection, rater_id, item_id)
    if kind not in ("skip", "unskip", "flag"):
        raise InvalidRequest(f"kind is {kind!r}; it must be skip, unskip or flag.", field="kind")
    find = text("SELECT item_id, kind FROM rating_event WHERE id = :id")
    there = connection.execute(find, {"id": event_id}).one_or_none()
    if there is None:
        _refuse_finished(session)
        values = {"id": event_id, "item_id": item_id, "kind": kind, "reason": _storable(reason, "reason")}
        connection.execute(
            text("""
            INSERT INTO rating_event (id, item_id, kind, reason) VALUES (:id, :item_id, :kind, :reason)
            ON CONFLICT (id) DO NOTHING"""),
            values,
        )
        there = connection.execute(find, {"id": event_id}).one()
    if tuple(there) != (item_id, kind):
        raise _another_event(event_id)


_NEWEST = text("""
SELECT r.id FROM rating r JOIN rating_item i ON i.id = r.item_id
 WHERE i.session_id = :session_id AND NOT EXISTS (SELECT FROM rating_event e WHERE e.rating_id = r.id)
 ORDER BY r.created_at - r.waited_s * interval '1 second' DESC, r.number DESC LIMIT 1
""")
_UNDONE = text("""
SELECT r.id AS rating_id, r.item_id, i.position, r.criterion, r.stars,
       (SELECT c.stars FROM current_rating c WHERE c.item_id = r.item_id AND c.criterion = r.criterion) AS now
  FROM rating_event e JOIN rating r ON r.id = e.rating_id JOIN rating_item i ON i.id = r.item_id
 WHERE e.id = :event_id AND i.session_id = :session_id
""")


def undo(connection: Connection, rater_id: UUID, *, event_id: UUID, session_id: UUID) -> Undone:
    """Take back the rating of a session that was given last and not taken back; the one before it counts again.

    The same id again takes nothing more back. `InvalidRequest` (`field` "session"): not there, another's, finished, or
    nothing is left to be taken back.
    """
    session = lock_session(connection, rater_id, "s.id = :session_id", {"session_id": session_id})
    if session is None:
        raise InvalidRequest("There is no such session among yours.", field="session")
    values = {"event_id": event_id, "session_id": session_id}
    there = connection.execute(_UNDONE, values).one_or_none()
    if there is not None:
        return Undone(**there._mapping)
    if connection.execute(text("SELECT 1 FROM rating_event WHERE id = :event_id"), values).scalar():
        raise _another_event(event_id)
    _refuse_finished(session)
    newest = connection.execute(_NEWEST, values).scalar()
    if newest is None:
        raise InvalidRequest("There is no rating left that could be taken back.", field="session")
    connection.execute(
        text("""
        INSERT INTO rating_event (id, item_id, kind, rating_id)
        SELECT :event_id, r.item_id, 'undo', r.id FROM rating r WHERE r.id = :rating_id
        ON CONFLICT (id) DO NOTHING"""),
        {"event_id": event_id, "rating_id": newest},
    )
    there = connection.execute(_UNDONE, values).one_or_none()
    if there is None:
        raise _another_event(event_id)
    return Undone(**there._mapping)


def _session_of(connection: Connection, rater_id: UUID, item_id: UUID) -> Any:
    condition = "s.id = (SELECT i.session_id FROM rating_item i WHERE i.id = :item_id)"
    session = lock_session(connection, rater_id, condition, {"item_id": item_id})
    if session is None:
        raise _no_such_item()
    return session


def _refuse_finished(session: Any) -> None:
    if session.finished_at is not None:
        raise InvalidRequest("This session is finished, and what it has revealed cannot be rated.", field="session")


def _no_such_item() -> InvalidRequest:
    return InvalidRequest("There is no such item in your sessions.", field="item")


def _rating(connection: Connection, rating_id: UUID) -> Any:
    return connection.execute(text("SELECT * FROM rating WHERE id = :id"), {"id": rating_id}).one_or_none()


def _again(there: Any, item_id: UUID, criterion: str, stars: int) -> SavedRating:
    if (there.item_id, there.criterion, there.stars) != (item_id, criterion, stars):
        raise IdempotencyConflict(f"The id {there.id} was used before for another rating. Take a new one.")
    return _saved(there, again=True)


def _another_event(event_id: UUID) -> IdempotencyConflict:
    return IdempotencyConflict(f"The id {event_id} was used before for another event. Take a new one.")


def _saved(row: Any, *, again: bool) -> SavedRating:
    return SavedRating(row.id, row.item_id, row.criterion, row.stars, row.number, row.supersedes, row.created_at, again)


def _storable(given: str, field: str) -> str:
    if len(given) > MAX_TEXT or any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in given):
        raise InvalidRequest(f"{field} must be text of at most {MAX_TEXT:,} characters, without NUL.", field=field)
    return given
