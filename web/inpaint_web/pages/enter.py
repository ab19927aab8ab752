"""The door: a personal link becomes a cookie, and disappears from the address bar. Operators have a password."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from inpaint_core.errors import InvalidRequest
from inpaint_db.raters import find_rater_by_token
from starlette.responses import RedirectResponse, Response

from inpaint_web.errors import LinkRefused, TooMany
from inpaint_web.security import cookies
from inpaint_web.site import Site, SiteNow

router = APIRouter()
#: Longer than any token of ours.
_MOST_LETTERS = 200


@router.get("/enter/{token}")
def enter_by_link(token: str, request: Request, site: SiteNow) -> Response:
    """What a link leads to. It works as often as it is opened, so that a preview in a chat does not use it up."""
    return _enter(token, request, site)


@router.get("/enter")
def door(site: SiteNow) -> Response:
    """For who has a link or a password at hand and no cookie."""
    sentence = "Open the personal link that you were sent, or paste it here. Operators enter their password."
    return site.page("enter.html", {"title": "Come in", "sentence": sentence}, has_form=True)


async def _field(request: Request) -> str:
    """The one field of the form, however it was filled in."""
    given = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    return given.get("token", [""])[0]


@router.post("/enter")
def enter_by_form(request: Request, site: SiteNow, given: Annotated[str, Depends(_field)]) -> Response:
    """The same by hand: a password, or the whole link."""
    return _enter(given.strip().rstrip("/").rsplit("/", 1)[-1], request, site)


@router.post("/leave")
def leave(request: Request, site: SiteNow) -> Response:
    """Forget who it was, on a machine that others use too."""
    response = RedirectResponse("/enter", status_code=303)
    for name in (cookies.RATER, cookies.OPERATOR):
        cookies.forget(response, name, secure=site.is_secure(request))
    return response


def _enter(token: str, request: Request, site: Site) -> Response:
    address = request.client.host if request.client else "unknown"
    secure = site.is_secure(request)
    secret = site.operator_token
    if secret is not None and hmac.compare_digest(token.encode("utf-8", "replace"), secret.encode()):
        response = RedirectResponse("/leaderboard", status_code=303)
        cookies.write(response, cookies.OPERATOR, cookies.operator_stamp(secret), secure=secure)
        return response
    try:
        if len(token) > _MOST_LETTERS or not token.isascii():
            raise LinkRefused
        with site.database.read() as connection:
            find_rater_by_token(connection, token)
    except (InvalidRequest, LinkRefused) as error:
        # Only what failed counts: a whole office behind one address may open its links at once.
        if site.guesses.take(address):
            raise TooMany from None
        raise LinkRefused(error.message if isinstance(error, InvalidRequest) else None) from None
    response = RedirectResponse("/", status_code=303)
    cookies.write(response, cookies.RATER, token, secure=secure)
    return response
