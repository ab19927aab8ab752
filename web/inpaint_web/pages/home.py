"""The first page: a rater's sessions, and how far each is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from inpaint_db.rating_sessions import list_sessions
from starlette.responses import RedirectResponse, Response

from inpaint_web.errors import SignInNeeded
from inpaint_web.site import SiteNow

router = APIRouter()


@router.get("/")
def home(request: Request, site: SiteNow) -> Response:
    """Sessions of a rater; an operator who is no rater is led on to the leaderboard."""
    rater = site.rater(request)
    operator = site.is_operator(request)
    if rater is None:
        if operator:
            return RedirectResponse("/leaderboard", status_code=303)
        raise SignInNeeded
    with site.database.read() as connection:
        sessions = list_sessions(connection, rater.id)
    values = {"rater": rater, "sessions": sessions, "operator": operator}
    return site.page("home.html", values, has_form=True)
