"""What the rating page reads and saves. Every save carries an id that the page chose, so that it may be sent again."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from inpaint_core.errors import InvalidRequest
from inpaint_db.rating_pace import item_states, look_at, median_pace_s
from inpaint_db.rating_queries import ItemView, save_event, save_rating, show_item, undo
from inpaint_db.rating_sessions import SessionRow, finish_session
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from inpaint_web.errors import NotThere, TooFew, TooSoon
from inpaint_web.pages.rate import own_session
from inpaint_web.site import RaterNow, SiteNow

router = APIRouter(prefix="/api/sessions/{session_id}")
#: A clock may say that an item was shown a little later than it was.
_SLACK_S = 0.25
#: A page that was left open over a night says more than it knows.
_LONGEST_S = 86_400.0
#: Of the items, so many have to be rated before it is told what made them.
_LEAST_RATED = 0.5
Json = dict[str, Any]


class Stars(BaseModel):
    """Stars for one criterion."""

    model_config = ConfigDict(extra="forbid")
    criterion: Annotated[str, Field(max_length=40)]
    stars: Annotated[int, Field(ge=0, le=4, strict=True)]
    #: Seconds between showing and giving.
    duration_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    #: Seconds since it was given, while it could not be sent.
    waited_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    ui_version: Annotated[str, Field(max_length=40)] = ""


class Event(BaseModel):
    """Something else that a rater does with an item."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["skip", "unskip", "flag"]
    reason: Annotated[str, Field(max_length=500)] = ""


@router.get("")
def session(session_id: UUID, rater: RaterNow, site: SiteNow) -> Json:
    """How far the session is, item by item."""
    with site.database.read() as connection:
        row = own_session(connection, rater.id, session_id)
        states = item_states(connection, rater.id, session_id)
        pace_s = median_pace_s(connection, session_id)
    items = [[s.kind, "skipped" if s.skipped else "rated" if s.rated else "open", s.flagged] for s in states]
    return {**_progress(row), "pace_s": pace_s, "items": items}


@router.get("/items/{position}")
def item(session_id: UUID, position: int, rater: RaterNow, site: SiteNow, peek: bool = False) -> Json:
    """What an item shows. `peek`: only to know; else it is the one that the rater looks at from now on."""
    with site.database.read() if peek else site.database.begin() as connection:
        return _told(shown(connection, rater.id, session_id, position, site.settings.s3_bucket, note=not peek))


@router.put("/items/{position}/ratings/{rating_id}")
def rating(session_id: UUID, position: int, rating_id: UUID, given: Stars, rater: RaterNow, site: SiteNow) -> Json:
    """Save stars. The same again is answered as the first time.

    An item's first stars wait until it was the one that this rater had open for as long as the session asks: by the
    clock of this side, so that a script cannot say that it has looked, nor look at several items at once.
    """
    with site.database.begin() as connection:
        look = look_at(connection, rater.id, session_id, position)
        if look is None:
            raise NotThere
        left = look.min_dwell_s - _SLACK_S - (look.seconds or 0.0)
        if left > 0 and not look.has_stars:
            raise TooSoon(f"Look a little longer before you rate: {left:.1f} s more.", wait_s=left)
        saved = save_rating(
            connection,
            rater.id,
            rating_id=rating_id,
            item_id=look.item_id,
            criterion=given.criterion,
            stars=given.stars,
            duration_s=min(given.duration_s, _LONGEST_S),
            measured_s=look.seconds,
            waited_s=given.waited_s,
            ui_version=given.ui_version,
        )
    return {"saved": str(saved.id), "criterion": saved.criterion, "stars": saved.stars, "again": saved.again}


@router.put("/items/{position}/events/{event_id}")
def event(session_id: UUID, position: int, event_id: UUID, given: Event, rater: RaterNow, site: SiteNow) -> Json:
    """Skip an item, think better of it, or flag it."""
    with site.database.begin() as connection:
        look = look_at(connection, rater.id, session_id, position)
        if look is None:
            raise NotThere
        save_event(connection, rater.id, event_id=event_id, item_id=look.item_id, kind=given.kind, reason=given.reason)
    return {"saved": str(event_id)}


@router.put("/undo/{event_id}")
def take_back(session_id: UUID, event_id: UUID, rater: RaterNow, site: SiteNow) -> Json:
    """Take the newest stars of the session back."""
    with site.database.begin() as connection:
        own_session(connection, rater.id, session_id)
        undone = undo(connection, rater.id, event_id=event_id, session_id=session_id)
    return {"position": undone.position, "criterion": undone.criterion, "stars": undone.stars, "now": undone.now}


@router.post("/finish")
def finish(session_id: UUID, rater: RaterNow, site: SiteNow) -> Json:
    """End the session; nothing can be changed afterwards, and which model made what is told."""
    with site.database.begin() as connection:
        row = own_session(connection, rater.id, session_id)
        rated = sum(state.rated for state in item_states(connection, rater.id, session_id))
        if row.next_position is None and rated < _LEAST_RATED * row.items:
            raise TooFew(
                f"You have rated {rated} of {row.items}, and skipped the others. Rate at least half of them, then "
                "finish: Back leads to those that you skipped, and stars count for them all the same."
            )
        return _progress(finish_session(connection, rater.id, session_id))


def shown(
    connection: Connection, rater_id: UUID, session_id: UUID, position: int, bucket: str, *, note: bool
) -> ItemView:
    """The item at a position of this rater's session; `NotThere` else. `note`: that it is shown now."""
    try:
        return show_item(connection, rater_id, session_id, position, bucket=bucket, note=note)
    except InvalidRequest:
        raise NotThere from None


def _progress(row: SessionRow) -> Json:
    return {
        "name": row.name, "total": row.items, "done": row.done, "skipped": row.skipped, "next": row.next_position,
        "min_dwell_s": row.min_dwell_s, "finished": row.finished_at is not None,
    }  # fmt: skip


def _told(view: ItemView) -> Json:
    """What a rater's browser learns of an item: no address in the store, no purpose, no model."""
    base = f"/image/{view.session_id}/{view.position}"
    return {
        "position": view.position,
        "kind": view.kind,
        "prompt": view.prompt,
        "negative_prompt": view.negative_prompt,
        "criteria": [criterion.name for criterion in view.criteria],
        "source": f"{base}/source",
        "mask": f"{base}/mask" if view.mask is not None else None,
        "results": [f"{base}/result-{number}" for number in range(1, len(view.results) + 1)],
        "stars": view.stars,
        "skipped": view.skipped,
        "flagged": view.flagged,
    }
