"""What a visitor is told when a page cannot be shown: a status, what was wrong, and what to do."""

from __future__ import annotations

from typing import ClassVar

from inpaint_core.errors import InpaintError, OperatorError, RequestError, ServiceUnavailable


class WebError(RequestError):
    """The page cannot be shown."""

    code = "web"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "That did not work"


class SignInNeeded(WebError):
    """Open the personal link that you were sent: it lets you in, and this browser remembers it."""

    code = "sign_in_needed"
    status = 401
    title = "Please open your link"


class LinkRefused(WebError):
    """That link is not known, has expired or was withdrawn. Ask whoever sent it for a new one."""

    code = "link_refused"
    status = 403
    title = "This link does not open anything"


class PasswordWrong(WebError):
    """That is not the operators' password; `inpaint web --link` shows it. Raters paste their whole link instead."""

    code = "password_wrong"
    status = 403
    title = "Wrong password"


class CrossSite(WebError):
    """The request came from another page than this site's own, and was ignored. Reload this site and try again."""

    code = "cross_site"
    status = 403
    title = "Refused"


class NotThere(WebError):
    """There is nothing here, or it is not yours to see. Your own sessions are on the first page."""

    code = "not_found"
    status = 404
    title = "Nothing here"


class TooLarge(WebError):
    """The request is larger than anything that this site asks for."""

    code = "too_large"
    status = 413
    title = "Too large"


class TooSoon(WebError):
    """Look a little longer before you rate."""

    code = "too_soon"
    status = 409
    title = "A moment"


class TooFew(WebError):
    """Rate at least half of the items; then the session can be finished."""

    code = "too_few"
    title = "Not yet"


class NotAllowed(WebError):
    """The address does not take such a request."""

    code = "not_allowed"
    status = 405
    title = "That does not go here"


class TooSlow(WebError):
    """The request did not arrive in time. Send it again."""

    code = "too_slow"
    status = 408
    title = "Too slow"


class TooMany(WebError):
    """There were many requests in a short time. Wait a few seconds, then go on; nothing is lost."""

    code = "too_many"
    status = 429
    title = "One moment"


#: Codes of errors of other layers that tell a visitor more than "bad request".
_STATUS = {"job_not_found": 404, "object_not_found": 404, "image_too_large": 413, "idempotency_conflict": 409}


def status_of(error: InpaintError) -> int:
    """The HTTP status that an error of the fleet becomes."""
    if isinstance(error, WebError):
        return error.status
    if isinstance(error, RequestError):
        return _STATUS.get(error.code, 400)
    return 503 if isinstance(error, ServiceUnavailable) else 500


def told_of(error: InpaintError) -> tuple[str, str]:
    """Heading and sentence for a visitor. What concerns the operator alone is left to the log."""
    if isinstance(error, WebError):
        return error.title, error.message
    if isinstance(error, ServiceUnavailable):
        return "Back in a moment", "Something this site needs does not answer just now. What you have rated is kept."
    if isinstance(error, OperatorError):
        if error.code == "missing_extra":
            return "A part is not installed", error.message
        return "Something has to be set up", "Whoever runs this site finds the reason in its log."
    if isinstance(error, RequestError):
        return ("Nothing here" if status_of(error) == 404 else "That did not work"), error.message
    return "Something went wrong", "It has been written down. Try again; if it stays, tell whoever runs this site."
