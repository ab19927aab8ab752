"""The door: a personal link becomes a cookie, and disappears from the address bar. Operators have a password."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from inpaint_core.errors import InvalidRequest
from inpaint_db.raters import RaterRow, find_rater_by_token
from starlette.responses import RedirectResponse, Response

from inpaint_web.errors import LinkRefused, PasswordWrong
from inpaint_web.security import cookies
from inpaint_web.security.limits import address_of
from inpaint_web.site import Site, SiteNow

router = APIRouter()
#: Longer than any token of ours.
_MOST_LETTERS = 200
#: What ends a link, as `inpaint_db.raters` makes it; anything else that somebody enters is meant for a password.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@router.get("/enter/{token}")
def enter_by_link(token: str, request: Request, site: SiteNow) -> Response:
    """What a link leads to. It works as often as it is opened, so that a preview in a chat does not use it up."""
    return _enter(token, request, site, asked=False)


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
    return _enter(given.strip().rstrip("/").rsplit("/", 1)[-1], request, site, asked=True)


@router.post("/leave")
def leave(request: Request, site: SiteNow) -> Response:
    """Forget who it was, on a machine that others use too."""
    response = RedirectResponse("/enter", status_code=303)
    for name in (cookies.RATER, cookies.OPERATOR):
        cookies.forget(response, name, secure=site.is_secure(request))
    return response


def _enter(token: str, request: Request, site: Site, *, asked: bool) -> Response:
    secure = site.is_secure(request)
    rater, reason = _whose(token, site)
    if rater is not None:
        if not asked and (other := _other(rater, request, site)) is not None:
            # A page elsewhere must not put its own rater in the place of whoever is at work here.
            values = {"rater": rater, "other": other, "token": token}
            return site.page("enter_as.html", values, has_form=True)
        response = RedirectResponse("/", status_code=303)
        cookies.write(response, cookies.RATER, token, secure=secure)
        return response
    # Nobody guesses a link of 256 bits. A password may be guessed: none is looked at once there were too many tries.
    site.count_guess(request)
    if not site.operators.is_password(token):
        raise LinkRefused(reason) if not asked or _TOKEN.fullmatch(token) else PasswordWrong
    site.guesses.give_back(address_of(request))
    response = RedirectResponse("/leaderboard", status_code=303)
    cookies.write(response, cookies.OPERATOR, site.operators.stamp(), secure=secure)
    return response


def _whose(token: str, site: Site) -> tuple[RaterRow | None, str | None]:
    """The rater whose link it is, or why it is nobody's."""
    if len(token) > _MOST_LETTERS or not token.isascii():
        return None, None
    try:
        with site.database.read() as connection:
            return find_rater_by_token(connection, token), None
    except InvalidRequest as error:
        return None, error.message


def _other(rater: RaterRow, request: Request, site: Site) -> RaterRow | None:
    """Somebody else whose cookie the browser holds."""
    there = cookies.read(request, cookies.RATER, secure=site.is_secure(request))
    other = _whose(there, site)[0] if there else None
    return other if other is not None and other.id != rater.id else None
