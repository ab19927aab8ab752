"""All commands in one application, in the order and groups in which `inpaint --help` shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from inpaint_fleet.cli import (
    bench,
    config,
    db,
    demo,
    doctor,
    flower,
    gc,
    jobs,
    models,
    prices,
    ratings,
    relay,
    stack,
    status,
    storage,
    submit,
    submit_batch,
    web,
    worker,
)
from inpaint_fleet.cli.outcome import RootCommand

_EDIT = "Edit pictures"
_HERE = "Everything on this machine"
_SERVE = "Parts of a fleet"
_MANAGE = "Set up and look inside"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        from inpaint_fleet.cli import console

        try:
            console.say(f"inpaint-fleet {metadata.version('inpaint-fleet')}")
        except metadata.PackageNotFoundError:
            console.say("inpaint-fleet (run from its source, not installed)")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")] = False,
) -> None:
    """Repaint the masked part of pictures with a fleet of workers, one queue per model.

    Begin with `inpaint demo`, which runs everything on this machine and edits a picture.
    """


app = typer.Typer(
    name="inpaint",
    cls=RootCommand,
    callback=_root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("submit", rich_help_panel=_EDIT)(submit.submit)
app.command("submit-batch", rich_help_panel=_EDIT)(submit_batch.submit_batch)
app.add_typer(jobs.app, name="jobs", rich_help_panel=_EDIT)
app.add_typer(models.app, name="models", rich_help_panel=_EDIT)

app.command("demo", rich_help_panel=_HERE)(demo.demo)
app.command("up", rich_help_panel=_HERE)(stack.up)
app.command("down", rich_help_panel=_HERE)(stack.down)
app.command("status", rich_help_panel=_HERE)(status.status)
app.command("doctor", rich_help_panel=_HERE)(doctor.doctor)

app.command("worker", rich_help_panel=_SERVE)(worker.worker)
app.command("relay", rich_help_panel=_SERVE)(relay.relay)
app.command("flower", rich_help_panel=_SERVE)(flower.flower)
app.command("web", rich_help_panel=_SERVE)(web.web)

app.add_typer(db.app, name="db", rich_help_panel=_MANAGE)
app.add_typer(prices.app, name="prices", rich_help_panel=_MANAGE)
app.add_typer(storage.app, name="storage", rich_help_panel=_MANAGE)
app.command("gc", rich_help_panel=_MANAGE)(gc.gc)
app.add_typer(config.app, name="config", rich_help_panel=_MANAGE)
app.add_typer(bench.app, name="bench", rich_help_panel=_MANAGE)
app.add_typer(ratings.app, name="ratings", rich_help_panel=_MANAGE)
