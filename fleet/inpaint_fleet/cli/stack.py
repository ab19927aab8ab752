"""`inpaint up` and `inpaint down`: the whole fleet on this machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, options

if TYPE_CHECKING:
    from inpaint_core.settings import Settings

    from inpaint_fleet.local.control import StackState

DEFAULT_MODEL = "opencv-telea"
#: How long a start in the background waits for its workers.
_LOADING_S = 30


def up(
    model: Annotated[
        list[str],
        typer.Option(
            "--model", "-m", autocompletion=options.complete_model, help="A model to run a worker for. Repeatable."
        ),
    ] = [DEFAULT_MODEL],  # noqa: B006  (Typer copies it)
    flower: Annotated[
        bool | None,
        typer.Option("--flower/--no-flower", help="Run Flower. Default: if it is installed.", show_default=False),
    ] = None,
    web: Annotated[
        bool | None,
        typer.Option("--web/--no-web", help="Run the web server. Default: if it is installed.", show_default=False),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready; it runs on until `inpaint down`.")
    ] = False,
    data_dir: options.DataDir = None,
    echo: Annotated[bool, typer.Option("--echo/--no-echo", hidden=True)] = True,
) -> None:
    """Start everything on this machine: Redis, Postgres, S3, relay, a worker per model, web server and Flower.

    Ctrl-C stops all of it. Data stays, and the next start goes on with it. Servers of your own that are configured
    (INPAINT_REDIS_URL, ...) are used instead of new ones.
    """
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.settings import load_settings

    from inpaint_fleet import flower as flower_server
    from inpaint_fleet import web as web_server

    for name in model:
        load_catalogue(load_settings().catalogue).card(name)
    folder = _folder(data_dir)
    with_flower = flower_server.installed() if flower is None else flower
    with_web = web_server.installed() if web is None else web
    if detach:
        console.tell(f"starting in {folder}")
        from inpaint_fleet.local.control import start_detached

        ready = start_detached(folder, model, flower=with_flower, web=with_web)
        _await_workers(folder, model)
        _tell_ready(folder, ready)
        return
    from inpaint_fleet.local.stack import LocalStack

    LocalStack(folder, model, flower=with_flower, web=with_web, echo=sys.stderr if echo else None).run(
        lambda settings: _tell_how_to_use(settings, web=with_web) if echo else None
    )


def down(data_dir: options.DataDir = None) -> None:
    """Stop what `inpaint up` started. Data stays."""
    from inpaint_fleet.local.control import state, stop

    folder = _folder(data_dir)
    if state(folder).running:
        console.tell(f"stopping the stack in {folder}; a job that is running may take up to a minute to end")
    stopped = stop(folder)
    console.say(f"stopped the stack in {folder}" if stopped else f"no stack runs in {folder}")


def _folder(data_dir: Path | None) -> Path:
    from inpaint_core.settings import load_settings

    chosen = load_settings(data_dir=data_dir) if data_dir is not None else load_settings()
    return chosen.data_dir


def _await_workers(folder: Path, models: list[str]) -> None:
    """Small models are loaded in a moment, and what is typed next finds them. Of large ones it tells that they load."""
    from inpaint_core.settings import load_settings
    from inpaint_db.queries import list_queues
    from inpaint_db.session import Database

    from inpaint_fleet.overview import live_after_s

    settings = load_settings(data_dir=folder)
    deadline = time.monotonic() + _LOADING_S
    left = set(models)
    with Database(settings) as database:
        while left and time.monotonic() < deadline:
            with database.read() as connection:
                queues = list_queues(connection, live_s=live_after_s(settings))
            left -= {queue.model for queue in queues if queue.workers_ready}
            time.sleep(0.1)
    if left:
        console.tell(f"still loading: {', '.join(sorted(left))}; jobs wait for it, and `inpaint status` tells when")


def _tell_ready(folder: Path, ready: StackState) -> None:
    for name, address in ready.addresses.items():
        console.say(f"{name}\t{address}")
    console.tell(f"ready (process {ready.supervisor_pid}); log: {folder / 'logs' / 'inpaint.log'}")
    if "Flower" in ready.addresses:
        console.tell(f"Flower's user and password are in {folder / 'private.json'}")
    if "Web" in ready.addresses:
        console.tell(f"operators enter at {ready.addresses['Web']}/enter; `inpaint web --link` shows their password")
    console.tell("stop it with `inpaint down`" + _same_folder(folder))


def _tell_how_to_use(settings: Settings, *, web: bool) -> None:
    console.tell(
        "submit from another terminal: inpaint submit room.jpg --mask mask.png --model "
        f"{DEFAULT_MODEL} -o edited.png" + _needs_folder(settings.data_dir)
    )
    if web:
        console.tell(
            "see results and jobs in a browser: `inpaint web --link` shows address and password"
            + _needs_folder(settings.data_dir)
        )


def _same_folder(folder: Path) -> str:
    from inpaint_core.settings import load_settings

    return "" if load_settings().data_dir == folder else f" (with --data-dir {folder})"


def _needs_folder(folder: Path) -> str:
    from inpaint_core.settings import load_settings

    return "" if load_settings().data_dir == folder else f" (with INPAINT_DATA_DIR={folder})"
