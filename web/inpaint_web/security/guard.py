"""The gate in front of everything: refuses before any handler runs, and adds headers to whatever comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from inpaint_core.log import get_logger
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inpaint_web.errors import CrossSite, TooLarge, TooMany, WebError
from inpaint_web.security.cookies import RATER, plain_name
from inpaint_web.security.headers import HEADERS, PRIVATE
from inpaint_web.security.limits import RateLimit
from inpaint_web.security.origin import SAFE, is_own

#: No form and no call of this site sends more.
MOST_BODY_BYTES = 16_384
log = get_logger("inpaint.web")
Answer = Callable[[Scope, WebError, float], Any]


class Guard:
    """ASGI middleware. `answer` makes the response of a refusal."""

    def __init__(self, app: ASGIApp, *, public_url: str | None, answer: Answer) -> None:
        self._app = app
        self._public_url = public_url
        self._answer = answer
        # A rater who leafs as fast as a browser can asks for some 40 pictures at once, and then for a few a second.
        self._limit = RateLimit(per_s=40, burst=400)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        guarded = _with_headers(send)
        refused, wait_s = self._refusal(scope, connection)
        if refused is None and _is_large(connection):
            refused = TooLarge()
        if refused is not None:
            log.info("web_refused", code=refused.code, method=scope["method"], client=_address(connection))
            await self._answer(scope, refused, wait_s)(scope, receive, guarded)
            return
        if scope["method"] in SAFE:
            await self._app(scope, receive, guarded)
            return
        body = await _body(receive)
        if body is None:
            await self._answer(scope, TooLarge(), 0.0)(scope, receive, guarded)
            return
        await self._app(scope, _replay(body, receive), guarded)

    def _refusal(self, scope: Scope, connection: HTTPConnection) -> tuple[WebError | None, float]:
        wait_s = 0.0 if scope["path"].startswith("/static/") else self._limit.take(visitor(connection))
        if wait_s:
            return TooMany(), wait_s
        headers = {name.lower(): value for name, value in connection.headers.items()}
        if scope["method"] not in SAFE and not is_own(headers, self._public_url):
            return CrossSite(), 0.0
        return None, 0.0


def visitor(connection: HTTPConnection) -> str:
    """Who asks, for limits: a rater's cookie, else an address. Hashed, so that no token is kept beside its requests."""
    token = connection.cookies.get(plain_name(RATER, secure=True)) or connection.cookies.get(RATER)
    said = f"{_address(connection)} {token or ''}"
    return hashlib.sha256(said.encode()).hexdigest()


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def _is_large(connection: HTTPConnection) -> bool:
    length = connection.headers.get("content-length", "0")
    return not length.isdigit() or int(length) > MOST_BODY_BYTES


async def _body(receive: Receive) -> bytes | None:
    """The whole body, which may come without a length; None as soon as it is too large."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
        if len(body) > MOST_BODY_BYTES:
            return None
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more for who handles it, and then whatever else comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", PRIVATE)
        await send(message)

    return guarded
