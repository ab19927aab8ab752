"""`inpaint prices`: what devices and images cost, from which the cost of every job is derived."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

import typer

from inpaint_fleet.cli import console, options, wording

app = typer.Typer(no_args_is_help=True, help="What devices and images cost; the cost of every job is derived from it.")


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
    kind: Annotated[
        DeviceKind | None, typer.Argument(metavar="[KIND]", help="Kind of device, paid by the hour: cpu or cuda.")
    ] = None,
    usd_per_hour: Annotated[float | None, typer.Option(min=0, help="US dollars for an hour of the device.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Instead of KIND: a model paid by the image.", autocompletion=options.complete_model),
    ] = None,
    usd_per_image: Annotated[float | None, typer.Option(min=0, help="US dollars for an image of the model.")] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Only for the device of exactly this name, e.g. 'NVIDIA H200'. Default: every one of the kind."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Where the price comes from.")] = "",
) -> None:
    """Set a price from now on: of a kind of device, or of the images of a model.

    The price before it ends now; past jobs keep theirs. A model that has a price by the image is not paid by the hour.
    """
    from inpaint_core.errors import InvalidRequest

    for name, price in (("hour", usd_per_hour), ("image", usd_per_image)):
        if price is not None and not math.isfinite(price):
            raise InvalidRequest(f"--usd-per-{name} is {price}; it must be a number of dollars, such as 2.50.")
    if kind and usd_per_hour is not None and model is None and usd_per_image is None:
        _set_hourly(kind, usd_per_hour, device, note)
    elif model and usd_per_image is not None and kind is None and usd_per_hour is None and device is None:
        _set_per_image(model, usd_per_image, note)
    else:
        raise InvalidRequest(
            "A price is either `inpaint prices set cpu --usd-per-hour 0.10` (or cuda, and --device for one of them), "
            "or `inpaint prices set --model NAME --usd-per-image 0.02`."
        )


def _set_hourly(kind: DeviceKind, usd: float, device: str | None, note: str) -> None:
    from inpaint_core.settings import load_settings
    from inpaint_db.prices import set_hourly
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.begin() as connection:
        set_hourly(connection, kind.value, usd, device_name=device, note=note)
    console.say(f"{kind.value}{' ' + device if device else ''}: {wording.usd(usd)} per hour from now on")


def _set_per_image(model: str, usd: float, note: str) -> None:
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.settings import load_settings
    from inpaint_db.prices import set_per_image
    from inpaint_db.session import Database
    from inpaint_db.submissions import register_models

    settings = load_settings()
    card = load_catalogue(settings.catalogue).card(model)
    with Database(settings) as database, database.begin() as connection:
        register_models(connection, [card])  # no job and no worker may have named it yet
        set_per_image(connection, model, usd, note=note)
    console.say(f"{model}: {wording.usd(usd)} per image from now on")
