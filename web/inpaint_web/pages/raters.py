"""Who rates, how far they are, how their checks went, and what they wrote. For operators."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from fastapi import APIRouter
from inpaint_db.rating_words import RaterSession, all_sessions, standing_of_raters, words_of
from starlette.responses import Response

from inpaint_web.site import OperatorOnly, SiteNow

router = APIRouter(dependencies=[OperatorOnly])
#: Flags and skips that are shown; `inpaint ratings words` has all.
_WORDS = 300


@router.get("/raters")
def raters(site: SiteNow) -> Response:
    """All of them, with their sessions; and below what they wrote."""
    with site.database.read() as connection:
        found = standing_of_raters(connection)
        every = all_sessions(connection)
        words = words_of(connection, limit=_WORDS)
    sessions: defaultdict[UUID, list[RaterSession]] = defaultdict(list)
    for session in every:
        sessions[session.rater_id].append(session)
    return site.page("raters.html", {"raters": found, "sessions": sessions, "words": words, "most": _WORDS})
