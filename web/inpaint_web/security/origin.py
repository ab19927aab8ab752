"""Whether a request that changes something was made by a page of this site."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = ("GET", "HEAD")


def is_own(headers: Mapping[str, str], public_url: str | None) -> bool:
    """By what browsers say and pages cannot change. `headers` by their small-letter names.

    Without any such header it is no browser's request and has no business with a cookie: refused.
    """
    # Sent by browsers over https and to this machine; it is right even where a page's policy hides the origin.
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return False
    # Behind a proxy the host may be an inner name: then INPAINT_WEB_URL says what browsers see.
    hosts = {headers.get("host", ""), urlsplit(public_url or "").netloc} - {""}
    return urlsplit(origin).netloc in hosts
