"""The rating page, and what it reveals at the end. Nothing that is sent before then tells a model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from uuid import UUID

from fastapi import APIRouter
from inpaint_core.errors import InvalidRequest
from inpaint_db.rating_sessions import RevealedItem, SessionRow, find_session, reveal
from inpaint_db.rubrics import find_rubric
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from inpaint_web.errors import NotThere
from inpaint_web.site import RaterNow, SiteNow

router = APIRouter()
#: A model and a tier.
_Made = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class ModelStars:
    """What this rater gave a model in a tier: mean stars by criterion, of pictures that were no checks."""

    model: str
    tier: str | None
    items: int
    means: dict[str, float]


@router.get("/rate/{session_id}")
def rate(session_id: UUID, rater: RaterNow, site: SiteNow) -> Response:
    """The page on which a session is worked through; a finished one shows what it was about."""
    with site.database.read() as connection:
        session = own_session(connection, rater.id, session_id)
        rubric = find_rubric(connection, session.rubric_id)
    if session.finished_at is not None:
        return RedirectResponse(f"/rate/{session_id}/reveal", status_code=303)
    return site.page("rate.html", {"session": session, "criteria": rubric.criteria, "version": site.static.version})


@router.get("/rate/{session_id}/reveal")
def revealed(session_id: UUID, rater: RaterNow, site: SiteNow) -> Response:
    """Which model made what, once nothing can be changed any more."""
    with site.database.read() as connection:
        session = own_session(connection, rater.id, session_id)
        if session.finished_at is None:
            return RedirectResponse(f"/rate/{session_id}", status_code=303)
        items = reveal(connection, rater.id, session_id)
        rubric = find_rubric(connection, session.rubric_id)
    values = {"session": session, "items": items, "criteria": rubric.criteria, "models": by_model(items)}
    return site.page("reveal.html", values)


def own_session(connection: Connection, rater_id: UUID, session_id: UUID) -> SessionRow:
    """The session if it is this rater's; another's is as if it were not there."""
    try:
        return find_session(connection, rater_id, session_id)
    except InvalidRequest:
        raise NotThere from None


def by_model(items: list[RevealedItem]) -> list[ModelStars]:
    """Means by model and tier, the best first."""
    given: defaultdict[_Made, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    count: defaultdict[_Made, int] = defaultdict(int)
    for item in items:
        if item.purpose != "real":
            continue
        made = (item.model, item.tier)
        count[made] += 1
        for criterion, stars in item.stars.items():
            given[made][criterion].append(stars)
    found = [ModelStars(*made, count[made], {c: fmean(stars) for c, stars in given[made].items()}) for made in count]
    return sorted(found, key=lambda each: -fmean(each.means.values()) if each.means else 0)
