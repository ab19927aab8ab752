"""`inpaint storage`: the object store."""

from __future__ import annotations

import typer

from inpaint_fleet.cli import console

app = typer.Typer(no_args_is_help=True, help="The object store that holds inputs and outputs.")


@app.callback()
def _storage() -> None:
    """The object store that holds inputs and outputs."""


@app.command("init")
def init() -> None:
    """Create the bucket (INPAINT_S3_BUCKET) if it is missing. Running it again changes nothing."""
    from inpaint_core.s3 import S3Store
    from inpaint_core.settings import load_settings

    store = S3Store(load_settings())
    created = store.ensure_bucket()
    console.say(f"bucket {store.bucket} at {store.address}: {'created' if created else 'is there already'}")
