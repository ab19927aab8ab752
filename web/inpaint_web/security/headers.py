"""What a browser is allowed to do with our pages: nothing from elsewhere, no inline code, no frames, no referrer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}

HEADERS: dict[str, str] = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "x-robots-tag": "noindex, nofollow",
}
#: Of pages with a form: with no-referrer a browser hides the origin of what the form sends, and we need to know it.
FORM_REFERRER = "same-origin"
#: Pages and answers belong to one visitor and change; pictures and static files say otherwise themselves.
PRIVATE = "private, no-store"
#: A picture never changes under its address. `private`: no proxy in between keeps it.
PICTURE = "private, max-age=3600"
#: Static files have their content's hash in their address.
FOREVER = "public, max-age=31536000, immutable"


class WithHeaders:
    """ASGI middleware around everything, so that no answer leaves without them, that of a surprise included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", PRIVATE)
            await send(message)

        await self._app(scope, receive, guarded)
