"""`inpaint web`: the rating page, and pages over the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console

if TYPE_CHECKING:
    from inpaint_core.settings import Settings


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: INPAINT_WEB_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port. Default: INPAINT_WEB_PORT.")] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Serve nothing; print where operators enter, and their password.")
    ] = False,
) -> None:
    """Serve the rating page; and for operators galleries, the leaderboard and single jobs.

    It listens on this machine alone unless told otherwise. Others reach it best through a proxy with https, whose
    address is INPAINT_WEB_URL. Operators enter with INPAINT_WEB_TOKEN, raters with a link of their own.
    """
    from inpaint_core.errors import MissingExtra
    from inpaint_core.log import setup_logging
    from inpaint_core.settings import load_settings

    from inpaint_fleet.cli.notes import warn_of_unread_settings

    if link:
        _tell_link(load_settings())
        return
    try:
        from inpaint_web.serving import serve
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise MissingExtra(
            f'The web server needs {package}, which is not installed. Run: pip install "inpaint-fleet[web]"',
            extra="web",
        ) from error
    chosen = {"web_host": host, "web_port": port}
    settings = load_settings(**{name: value for name, value in chosen.items() if value is not None})
    setup_logging(settings)
    warn_of_unread_settings()
    serve(settings)


def _tell_link(settings: Settings) -> None:
    """For whoever asks, on a terminal of the same account; it stands in no log."""
    from inpaint_core.errors import NotConfigured

    if settings.web_token is None:
        raise NotConfigured(
            "Operators have no password: INPAINT_WEB_TOKEN is not set, and no local stack with a web server runs. Set "
            "one, or start a stack with `inpaint up`, which makes one."
        )
    base = settings.web_url or f"http://{settings.web_host}:{settings.web_port}"
    console.pairs([("address", f"{base.rstrip('/')}/enter"), ("password", settings.web_token.get_secret_value())])
