"""Who is who: a rater by the token of a personal link, an operator by a stamp (`inpaint_web.security.operators`).

Both are cookies that scripts cannot read and other sites cannot send along with what changes something. A rater's
holds the token itself, so that a link that is withdrawn closes at once, in every process.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from inpaint_web.security.operators import STAMP_S

RATER = "inpaint-rater"
OPERATOR = "inpaint-operator"
#: Seconds for which a browser remembers either; what the link itself allows may be shorter.
_REMEMBERED_S = {RATER: 60 * 86_400, OPERATOR: STAMP_S}


def plain_name(name: str, *, secure: bool) -> str:
    """Over https the name binds the cookie to this host, whatever a neighbouring one sets."""
    return f"__Host-{name}" if secure else name


def is_secure(request: Request, public_url: str | None) -> bool:
    """Whether browsers reach this site over https."""
    return request.url.scheme == "https" or (public_url or "").startswith("https://")


def read(request: Request, name: str, *, secure: bool) -> str | None:
    """The cookie's value."""
    return request.cookies.get(plain_name(name, secure=secure)) or None


def write(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Set it. Lax, because a link in a mail must let its reader in; what changes something is checked by origin too."""
    response.set_cookie(
        plain_name(name, secure=secure),
        value,
        max_age=_REMEMBERED_S[name],
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response, name: str, *, secure: bool) -> None:
    """Remove it."""
    response.delete_cookie(plain_name(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax")
