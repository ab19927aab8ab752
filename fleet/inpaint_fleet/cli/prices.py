"""`inpaint prices`: what devices cost, from which the cost of every job is derived."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

import typer

from inpaint_fleet.cli import console, options, wording

app = typer.Typer(no_args_is_help=True, help="What devices cost; the cost of every job is derived from it.")


class DeviceKind(StrEnum):
    """Kinds of device that are paid by the hour."""

    CPU = "cpu"
    CUDA = "cuda"


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List all prices, newest first, with the time in which each is valid."""
    from inpaint_core.settings import load_settings
    from inpaint_db.prices import list_prices
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        prices = list_prices(connection)
    if as_json:
        console.document(prices)
        return
    if not prices:
        console.tell("no prices yet; set one with `inpaint prices set cpu --usd-per-hour 0.10`")
        return
    rows = [
        (
            price.device_kind or price.model, price.device_name or "(all)" if price.device_kind else "",
            f"{wording.usd(price.usd_per_hour)} per hour" if price.usd_per_hour is not None
            else f"{wording.usd(price.usd_per_image)} per image",
            wording.moment(price.valid_from), wording.moment(price.valid_to) or "(in force)", price.note,
        )
        for price in prices
    ]  # fmt: skip
    console.table(("of", "device", "price", "from", "until", "note"), rows)


@app.command("set")
def set_(
    kind: Annotated[DeviceKind, typer.Argument(metavar="KIND", help="Kind of device: cpu or cuda.")],
    usd_per_hour: Annotated[float, typer.Option(min=0, help="US dollars for an hour of the device.")],
    device: Annotated[
        str | None,
        typer.Option(
            help="Only for the device of exactly this name, e.g. 'NVIDIA H200'. Default: every one of the kind."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Where the price comes from.")] = "",
) -> None:
    """Set the price of a kind of device from now on. The price before it ends now; past jobs keep theirs."""
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db.prices import set_hourly
    from inpaint_db.session import Database

    if not math.isfinite(usd_per_hour):
        raise InvalidRequest(f"--usd-per-hour is {usd_per_hour}; it must be a number of dollars, such as 2.50.")
    with Database(load_settings()) as database, database.begin() as connection:
        set_hourly(connection, kind.value, usd_per_hour, device_name=device, note=note)
    console.say(f"{kind.value}{' ' + device if device else ''}: {wording.usd(usd_per_hour)} per hour from now on")
