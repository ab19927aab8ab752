"""`inpaint web`: the rating page, and pages over the history."""

from __future__ import annotations

from typing import Annotated

import typer


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: INPAINT_WEB_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port. Default: INPAINT_WEB_PORT.")] = None,
) -> None:
    """Serve the rating page; and for operators galleries, the leaderboard and single jobs.

    It listens on this machine alone unless told otherwise. Others reach it best through a proxy with https, whose
    address is INPAINT_WEB_URL. Operators enter with INPAINT_WEB_TOKEN, raters with a link of their own.
    """
    from inpaint_core.errors import MissingExtra
    from inpaint_core.log import setup_logging
    from inpaint_core.settings import load_settings

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
    serve(settings)
