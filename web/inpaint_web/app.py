"""The web application: its pages, its interface for scripts, and what happens to errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from inpaint_core.errors import InpaintError
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from inpaint_web.api import item_pictures, ratings
from inpaint_web.errors import NotAllowed, NotThere, TooMany, TooSoon, WebError, status_of, told_of
from inpaint_web.pages import enter, files, gallery, home, job, leaderboard, rate, raters
from inpaint_web.security.guard import Guard
from inpaint_web.security.headers import WithHeaders
from inpaint_web.site import Site, make_site

log = get_logger("inpaint.web")


class _Pages(FastAPI):
    """With headers around even what answers when everything else has failed."""

    def build_middleware_stack(self) -> ASGIApp:
        """The stack that Starlette makes, within ours."""
        return WithHeaders(super().build_middleware_stack())


def create_app(settings: Settings) -> FastAPI:
    """An ASGI application over these settings' Postgres and S3."""
    site = make_site(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        site.database.close()

    # No documentation pages: they load scripts from elsewhere.
    app = _Pages(title="Inpaint Fleet", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.state.site = site
    for part in (files, enter, home, rate, gallery, leaderboard, job, raters, item_pictures, ratings):
        app.include_router(part.router)
    app.add_middleware(
        Guard,
        public_url=settings.web_url,
        answer=lambda scope, error: answer(site, error, script=_wants_json(scope["path"])),
    )
    app.add_exception_handler(InpaintError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_surprise)
    return app


def answer(site: Site, error: InpaintError, *, script: bool) -> Response:
    """What an error becomes: a page that teaches, or for scripts the same as JSON."""
    title, sentence = told_of(error)
    status = status_of(error)
    if script:
        told: dict[str, object] = {"code": error.code, "title": title, "message": sentence}
        if isinstance(error, TooSoon):
            told = {**told, **error.facts}
        made: Response = JSONResponse({"error": told}, status_code=status)
    else:
        at_door = status in (401, 403) and error.code != "cross_site"
        values = {"title": title, "sentence": sentence}
        made = site.page("enter.html" if at_door else "error.html", values, status=status, has_form=at_door)
    if isinstance(error, TooMany):
        made.headers["retry-after"] = str(max(1, round(float(str(error.facts.get("wait_s", 1))))))
    return made


def _wants_json(path: str) -> bool:
    return path.startswith(("/api/", "/image/"))


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InpaintError)  # noqa: S101  (registered for it)
    if status_of(error) >= 500:
        # The route, not the path: that of a link holds its token.
        log.error("web_failed", code=error.code, route=_route(request), reason=error.message)
    return answer(request.app.state.site, error, script=_wants_json(request.url.path))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    found = {404: NotThere, 405: NotAllowed}.get(error.status_code, WebError)()
    made = answer(request.app.state.site, found, script=_wants_json(request.url.path))
    if "allow" in (headers := {name.lower(): value for name, value in (error.headers or {}).items()}):
        made.headers["allow"] = headers["allow"]
    return made


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if all(problem["loc"][0] == "path" for problem in error.errors()):
        return answer(request.app.state.site, NotThere(), script=_wants_json(request.url.path))
    said = "; ".join(f"{_place(problem['loc'])}: {problem['msg']}" for problem in error.errors()[:3])
    return answer(request.app.state.site, WebError(f"{said}."), script=_wants_json(request.url.path))


async def _on_surprise(request: Request, error: Exception) -> Response:
    log.error("web_failed", code="internal", route=_route(request), reason=type(error).__name__, exc_info=error)
    return answer(request.app.state.site, InpaintError(), script=_wants_json(request.url.path))


def _route(request: Request) -> str:
    route: Any = request.scope.get("route")
    return str(getattr(route, "path", "unknown"))


def _place(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc[1:]) or str(loc[0])
