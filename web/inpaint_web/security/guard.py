"""The gate in front of everything: refuses what comes too often, from elsewhere, too large or too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from inpaint_core.log import get_logger
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inpaint_web.errors import CrossSite, NotThere, TooLarge, TooMany, TooSlow, WebError
from inpaint_web.security.limits import RateLimit, address_of
from inpaint_web.security.origin import SAFE, is_own

#: No form and no call of this site sends more.
MOST_BODY_BYTES = 16_384
#: Seconds for a whole body to arrive.
BODY_S = 10.0
#: Requests of one address a second, and at once: a class of fifty behind one router begins at the same moment.
ADDRESS_PER_S = 400.0
ADDRESS_BURST = 2_000
log = get_logger("inpaint.web")
Answer = Callable[[Scope, WebError], Any]


class Guard:
    """ASGI middleware. `answer` makes the response of a refusal.

    It counts by address alone: whatever else a request says of itself can be made up anew for each. Raters, once
    they are known, have a limit of their own (`inpaint_web.site`).
    """

    def __init__(self, app: ASGIApp, *, public_url: str | None, answer: Answer) -> None:
        self._app = app
        self._public_url = public_url
        self._answer = answer
        self._limit = RateLimit(per_s=ADDRESS_PER_S, burst=ADDRESS_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope, HTTPConnection(scope))
            if scope["method"] not in SAFE:
                receive = _replay(await _body(receive), receive)
        except WebError as refused:
            client = address_of(HTTPConnection(scope))
            log.info("web_refused", code=refused.code, method=scope["method"], client=client)
            await self._answer(scope, refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, connection: HTTPConnection) -> None:
        wait_s = 0.0 if scope["path"].startswith("/static/") else self._limit.take(address_of(connection))
        if wait_s:
            raise TooMany(wait_s=wait_s)
        # No name holds one, and no database takes one.
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            raise NotThere
        headers = {name.lower(): value for name, value in connection.headers.items()}
        if scope["method"] not in SAFE and not is_own(headers, self._public_url):
            raise CrossSite
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            raise TooLarge


async def _body(receive: Receive) -> bytes:
    """The whole body, which may come without a length; `TooLarge` as soon as it is, `TooSlow` if it does not end."""
    body = b""
    more = True
    try:
        async with asyncio.timeout(BODY_S):
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message["type"] == "http.request" and message.get("more_body", False)
                if len(body) > MOST_BODY_BYTES:
                    raise TooLarge
    except TimeoutError:
        raise TooSlow from None
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
