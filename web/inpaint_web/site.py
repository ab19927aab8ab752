"""What every handler works with: settings, database, pictures, templates; and who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, Request
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.raters import RaterRow, find_rater_by_token
from inpaint_db.session import Database
from inpaint_db.web_keys import web_key
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from inpaint_web import wording
from inpaint_web.errors import LinkRefused, SignInNeeded, TooMany
from inpaint_web.pictures import Pictures
from inpaint_web.security import cookies
from inpaint_web.security.headers import FORM_REFERRER
from inpaint_web.security.limits import RateLimit, address_of
from inpaint_web.security.operators import Operators
from inpaint_web.static_files import StaticFiles


@dataclass(frozen=True, slots=True)
class Site:
    """One server. Made once, in `create_app`."""

    settings: Settings
    database: Database
    pictures: Pictures
    static: StaticFiles
    templates: Environment
    operators: Operators
    #: Passwords, links and cookies that were tried and are not right, by address.
    guesses: RateLimit = field(default_factory=lambda: RateLimit(per_s=0.2, burst=10))
    #: Requests of a rater: who leafs as fast as a browser can asks for 40 pictures at once, then for a few a second.
    paces: RateLimit = field(default_factory=lambda: RateLimit(per_s=40, burst=400))

    def is_secure(self, request: Request) -> bool:
        """Whether cookies are to be sent over https alone."""
        return cookies.is_secure(request, self.settings.web_url)

    def is_operator(self, request: Request) -> bool:
        """Whether whoever asks may see names of models."""
        return self.operators.holds(self._operator_cookie(request))

    def require_operator(self, request: Request) -> None:
        """`SignInNeeded` for anybody else; `TooMany` for whoever tries cookies."""
        if self.is_operator(request):
            return
        if self._operator_cookie(request):
            self.count_guess(request)
        if not self.operators.exist:
            raise SignInNeeded(
                "This page shows which model made what, and is closed: no INPAINT_WEB_TOKEN is set. Set one, start "
                "`inpaint web` again, and enter it here."
            )
        raise SignInNeeded("This page shows which model made what. Enter the operator's password to see it.")

    def rater(self, request: Request) -> RaterRow | None:
        """The rater whose cookie it is; None without one.

        `LinkRefused` if the link does not hold (any more), `TooMany` after several such, or if the rater is too quick.
        """
        token = cookies.read(request, cookies.RATER, secure=self.is_secure(request))
        if token is None:
            return None
        try:
            with self.database.read() as connection:
                found = find_rater_by_token(connection, token)
        except InvalidRequest as error:
            self.count_guess(request)
            raise LinkRefused(error.message) from None
        if wait_s := self.paces.take(str(found.id)):
            raise TooMany(wait_s=wait_s)
        return found

    def count_guess(self, request: Request) -> None:
        """Count a try that may be a guess; `TooMany` if there were several."""
        if wait_s := self.guesses.take(address_of(request)):
            raise TooMany(wait_s=wait_s)

    def _operator_cookie(self, request: Request) -> str | None:
        return cookies.read(request, cookies.OPERATOR, secure=self.is_secure(request))

    def page(
        self, template: str, values: Mapping[str, Any], *, status: int = 200, has_form: bool = False
    ) -> HTMLResponse:
        """A page. Everything in `values` is escaped unless it is `markupsafe.Markup`."""
        headers = {"referrer-policy": FORM_REFERRER} if has_form else None
        return HTMLResponse(self.templates.get_template(template).render(values), status, headers)


def make_site(settings: Settings) -> Site:
    """Connect to nothing yet; `NotConfigured` if it is not known what to connect to."""
    plots = resources.files("inpaint_benchmark").joinpath("report", "plots", "plot.css").read_text(encoding="utf-8")
    static = StaticFiles.read(plot=plots)
    templates = Environment(
        loader=PackageLoader("inpaint_web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["static"] = static.url
    templates.filters.update(wording.FILTERS)
    database = Database(settings, application="inpaint-web", pool_size=12)
    password = None if settings.web_token is None else settings.web_token.get_secret_value()

    def key() -> bytes:
        with database.begin() as connection:
            return web_key(connection)

    pictures = Pictures(S3Store(settings), Limits.of(settings))
    return Site(settings, database, pictures, static, templates, Operators(password, key))


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


SiteNow = Annotated[Site, Depends(_site)]


def _rater(request: Request, site: SiteNow) -> RaterRow:
    found = site.rater(request)
    if found is None:
        raise SignInNeeded
    return found


def _operator(request: Request, site: SiteNow) -> None:
    site.require_operator(request)


RaterNow = Annotated[RaterRow, Depends(_rater)]
OperatorOnly = Depends(_operator)
