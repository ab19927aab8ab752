"""`inpaint flower`: Flower over the fleet's queues."""

from __future__ import annotations

from typing import Annotated

import typer


def flower(
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let anybody who reaches it look. Only on a network that you trust.")
    ] = False,
) -> None:
    """Run Flower, the web page of Celery: workers and tasks as they happen. Read-only; prompts are not shown.

    It listens on INPAINT_FLOWER_ADDRESS (127.0.0.1) and INPAINT_FLOWER_PORT (5555), and asks for the user:password in
    INPAINT_FLOWER_BASIC_AUTH. A task's id is the job's id.
    """
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.log import setup_logging
    from inpaint_core.settings import load_settings

    from inpaint_fleet.flower import FlowerSettings, serve

    settings = load_settings()
    where = FlowerSettings.read(no_auth=no_auth)
    setup_logging(settings)
    serve(settings, load_catalogue(settings.catalogue), where)
