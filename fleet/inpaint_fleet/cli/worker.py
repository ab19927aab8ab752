"""`inpaint worker`: serve one model."""

from __future__ import annotations

from typing import Annotated

import typer

from inpaint_fleet.cli import options


def worker(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model to load and serve.", autocompletion=options.complete_model)
    ],
) -> None:
    """Run a worker: load MODEL once, then do the jobs of its queue until stopped.

    SIGTERM or Ctrl-C lets it finish the job that it runs (INPAINT_GRACE_S), or hands the job back.
    """
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.errors import MissingExtra
    from inpaint_core.log import setup_logging
    from inpaint_core.settings import load_settings

    from inpaint_fleet.cli.notes import warn_of_unread_settings

    settings = load_settings()
    load_catalogue(settings.catalogue).card(model)
    setup_logging(settings)
    warn_of_unread_settings()
    try:
        from inpaint_worker.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "inpaint").startswith("inpaint"):
            raise
        raise MissingExtra(
            f'A worker needs {error.name}, which is not installed. Run: pip install "inpaint-fleet[worker]"',
            extra="worker",
        ) from error
    raise typer.Exit(serve(settings, model))
