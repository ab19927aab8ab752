"""Statements about rating sessions: made with all of their items at once, worked through, finished and revealed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from sqlalchemy import Connection, insert, text

from inpaint_db.rating_plans import PlannedItem, draw_order
from inpaint_db.rating_subjects import JobQuery, subjects_of_jobs, subjects_of_run
from inpaint_db.ratings import RatingItem, RatingSession
from inpaint_db.rubrics import enter_rubric

MAX_NAME = 200
#: Checks per picture, if nobody says.
CHECK_SHARE = 0.1
MIN_DWELL_S = 2.0


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session and how far it is. An item is done when each criterion asked of it has its stars, or it is skipped."""

    id: UUID
    name: str
    rater_id: UUID
    rater: str
    rubric_id: UUID
    run_id: UUID | None
    run: str | None
    query: dict[str, Any] | None
    seed: int
    check_share: float
    min_dwell_s: float
    created_at: datetime
    finished_at: datetime | None
    items: int
    done: int
    #: Of those that are done.
    skipped: int
    #: Position of the first item that is not done; None: all are.
    next_position: int | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a session consists of: pictures and sets of trials that count, and checks of both that do not."""

    pictures: int
    sets: int
    checks: int


@dataclass(frozen=True, slots=True)
class RevealedItem:
    """What an item was. `passed`: whether a check was; None: no check, or it was not rated."""

    item_id: UUID
    position: int
    kind: str
    purpose: str
    repeat_of_position: int | None
    model: str
    #: What it was made in; None: a model as a whole.
    tier: str | None
    sample: str | None
    trial_ids: list[UUID]
    job_id: UUID | None
    stars: dict[str, int]
    skipped: bool
    flagged: bool
    passed: bool | None


_SESSIONS = """
SELECT s.id, s.name, s.rater_id, p.name AS rater, s.rubric_id, s.run_id, r.name AS run, s.query, s.seed,
       s.check_share, s.min_dwell_s, s.created_at, s.finished_at, n.items, n.done, n.skipped, n.next_position
  FROM rating_session s
  JOIN rater p ON p.id = s.rater_id
  LEFT JOIN run r ON r.id = s.run_id
 CROSS JOIN LATERAL (
       SELECT count(*) AS items, count(*) FILTER (WHERE i.rated OR i.skipped) AS done,
              count(*) FILTER (WHERE i.skipped) AS skipped,
              min(i.position) FILTER (WHERE NOT (i.rated OR i.skipped)) AS next_position
         FROM rating_progress i WHERE i.session_id = s.id) n
"""


def make_session(
    connection: Connection,
    rater_id: UUID,
    name: str,
    *,
    run_id: UUID | None = None,
    query: JobQuery | None = None,
    seed: int | None = None,
    check_share: float = CHECK_SHARE,
    min_dwell_s: float = MIN_DWELL_S,
    limit: int | None = None,
) -> SessionRow:
    """Draw what a rater is to look at, of the finished trials of a run or of finished jobs, and write it down.

    `seed` None: any. `check_share`, `limit`: see `draw_order`. `InvalidRequest` if there is nothing to be rated, or a
    number is out of range (`field` says which).
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidRequest(f"A session's name is one line of 1 to {MAX_NAME} characters.", field="name")
    if not 0 <= check_share <= 1:
        raise InvalidRequest(f"check_share is {check_share:g}; it is a share, from 0 to 1.", field="check_share")
    if not 0 <= min_dwell_s <= 600:
        raise InvalidRequest(f"min_dwell_s is {min_dwell_s:g}; it is in seconds, 0 to 600.", field="min_dwell_s")
    if limit is not None and limit < 1:
        raise InvalidRequest(f"limit is {limit}; at least one picture has to be rated.", field="limit")
    if seed is not None and not 0 <= seed < 2**63:
        raise InvalidRequest(f"seed is {seed}; it is from 0 to 2^63 - 1.", field="seed")
    if (run_id is None) == (query is None):
        raise InvalidRequest("A session is about a run or about jobs: give one of the two.", field="run")
    subjects = subjects_of_jobs(connection, query) if query else subjects_of_run(connection, run_id)
    if not subjects:
        raise InvalidRequest("There is nothing to rate yet: no trial or job of it has a result.", field="run")
    chosen = secrets.randbits(31) if seed is None else seed
    session_id = new_id()
    connection.execute(
        insert(RatingSession).values(
            id=session_id, name=name, rater_id=rater_id, rubric_id=enter_rubric(connection).id, run_id=run_id,
            query=None if query is None else query.as_json(), seed=chosen, check_share=check_share,
            min_dwell_s=min_dwell_s,
        )
    )  # fmt: skip
    connection.execute(insert(RatingItem), _rows(session_id, draw_order(subjects, chosen, check_share, limit)))
    return find_session(connection, rater_id, session_id)


def _rows(session_id: UUID, items: list[PlannedItem]) -> list[dict[str, Any]]:
    ids = [uuid4() for _ in items]
    real = {item.subject: key for key, item in zip(ids, items, strict=True) if item.purpose == "real"}
    return [
        {
            "id": key, "session_id": session_id, "position": position, "purpose": item.purpose,
            "repeat_of": real[item.repeat_of] if item.repeat_of else None, "damage_seed": item.damage_seed,
            **asdict(item.subject), "trial_ids": list(item.subject.trial_ids),
        }
        for position, (key, item) in enumerate(zip(ids, items, strict=True), start=1)
    ]  # fmt: skip


def list_sessions(connection: Connection, rater_id: UUID) -> list[SessionRow]:
    """The sessions of a rater with their progress, the newest first."""
    rows = connection.execute(
        text(_SESSIONS + " WHERE s.rater_id = :rater_id ORDER BY s.created_at DESC, s.id DESC"), {"rater_id": rater_id}
    )
    return [SessionRow(**row._mapping) for row in rows]


def find_session(connection: Connection, rater_id: UUID, session_id: UUID) -> SessionRow:
    """A session of this rater; `InvalidRequest` (`field` "session") if there is none, or it is another's."""
    row = connection.execute(
        text(_SESSIONS + " WHERE s.id = :session_id AND s.rater_id = :rater_id"),
        {"session_id": session_id, "rater_id": rater_id},
    ).one_or_none()
    if row is None:
        raise InvalidRequest("There is no such session among yours.", field="session")
    return SessionRow(**row._mapping)


def contents_of(connection: Connection, session_id: UUID) -> Contents:
    """What the items of a session are. Nothing for raters: they are not to know how many checks there are."""
    row = connection.execute(
        text("""
        SELECT count(*) FILTER (WHERE kind = 'output' AND purpose = 'real') AS pictures,
               count(*) FILTER (WHERE kind = 'trials' AND purpose = 'real') AS sets,
               count(*) FILTER (WHERE purpose <> 'real') AS checks
          FROM rating_item WHERE session_id = :session_id"""),
        {"session_id": session_id},
    ).one()
    return Contents(**row._mapping)


def lock_session(connection: Connection, rater_id: UUID, condition: str, values: Mapping[str, Any]) -> Any:
    """The session that `condition` names, if it is this rater's, held until the transaction ends; else None.

    Whatever changes a session begins here, so that two pages of one rater take turns.
    """
    return connection.execute(
        text(f"""
        SELECT s.id, s.rubric_id, s.finished_at FROM rating_session s
         WHERE s.rater_id = :rater_id AND {condition} FOR UPDATE"""),  # noqa: S608
        {"rater_id": rater_id, **values},
    ).one_or_none()


def finish_session(connection: Connection, rater_id: UUID, session_id: UUID) -> SessionRow:
    """End a session; doing so again changes nothing. `InvalidRequest` (`positions`) while items are not done."""
    if lock_session(connection, rater_id, "s.id = :session_id", {"session_id": session_id}) is None:
        raise InvalidRequest("There is no such session among yours.", field="session")
    rows = connection.execute(
        text("""
        SELECT position FROM rating_progress
         WHERE session_id = :session_id AND NOT (rated OR skipped) ORDER BY position"""),
        {"session_id": session_id},
    )
    left = list(rows.scalars())
    if left:
        named = ", ".join(map(str, left[:5])) + (", ..." if len(left) > 5 else "")
        raise InvalidRequest(
            f"{len(left)} of the session's items have no stars yet ({named}). Rate or skip them, then finish.",
            field="session", positions=left,
        )  # fmt: skip
    connection.execute(
        text("UPDATE rating_session SET finished_at = coalesce(finished_at, now()) WHERE id = :id"),
        {"id": session_id},
    )
    return find_session(connection, rater_id, session_id)


_REVEAL = text("""
SELECT i.id AS item_id, i.position, i.kind, i.purpose, o.position AS repeat_of_position, i.model,
       coalesce(n.tier, a.tier) AS tier, s.name AS sample, i.trial_ids, i.job_id, p.skipped, p.flagged, c.passed,
       (SELECT coalesce(jsonb_object_agg(r.criterion, r.stars), '{}') FROM current_rating r WHERE r.item_id = i.id)
         AS stars
  FROM rating_item i
  JOIN rating_progress p ON p.item_id = i.id
  LEFT JOIN rating_item o ON o.id = i.repeat_of
  LEFT JOIN run n ON n.id = i.run_id
  LEFT JOIN job j ON j.id = i.job_id
  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN sample s ON s.id = i.sample_id
  LEFT JOIN rating_check c ON c.item_id = i.id
 WHERE i.session_id = :session_id ORDER BY i.position
""")


def reveal(connection: Connection, rater_id: UUID, session_id: UUID) -> list[RevealedItem]:
    """What each item of a finished session was. `InvalidRequest` before it is finished: it would not be blind then."""
    session = find_session(connection, rater_id, session_id)
    if session.finished_at is None:
        raise InvalidRequest("Which model made what is told once the session is finished.", field="session")
    rows = connection.execute(_REVEAL, {"session_id": session_id})
    return [RevealedItem(**row._mapping) for row in rows]
