"""Static files, and the little files that browsers and robots ask for on their own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from inpaint_web.errors import NotThere
from inpaint_web.security.headers import FOREVER
from inpaint_web.site import SiteNow

router = APIRouter()


@router.get("/static/{version}/{name}")
def static(version: str, name: str, site: SiteNow) -> Response:
    """A file of this version. An old page's script must not get a new one's parts."""
    if version != site.static.version or name not in site.static.files:
        raise NotThere
    data, kind = site.static.files[name]
    return Response(data, media_type=kind, headers={"cache-control": FOREVER})


@router.get("/favicon.ico")
def favicon(site: SiteNow) -> Response:
    """For browsers that do not look at the page first."""
    data, kind = site.static.files["icon.svg"]
    return Response(data, media_type=kind)


@router.get("/robots.txt")
def robots() -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


@router.get("/healthz")
def healthz() -> Response:
    """The process answers; what lies behind it is not asked."""
    return PlainTextResponse("ok\n")
