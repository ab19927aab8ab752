"""Prices: what an hour of a device or an image of an API costs, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.ids import new_id
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from inpaint_db.environments import Price


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price and the time in which it is valid."""

    id: UUID
    device_kind: str | None
    device_name: str | None
    model: str | None
    usd_per_hour: float | None
    usd_per_image: float | None
    valid_from: datetime
    valid_to: datetime | None
    note: str


def list_prices(connection: Connection) -> list[PriceRow]:
    """All prices, newest first."""
    rows = connection.execute(select(Price.__table__).order_by(Price.valid_from.desc())).mappings()
    return [PriceRow(**row) for row in rows]


def set_hourly(
    connection: Connection,
    device_kind: str,
    usd_per_hour: float,
    *,
    device_name: str | None = None,
    valid_from: datetime | None = None,
    note: str = "",
) -> UUID:
    """The price of a kind of device (or of one named device) from now on; the one before ends there."""
    same = [Price.device_kind == device_kind, Price.device_name.is_not_distinct_from(device_name)]
    values = {"device_kind": device_kind, "device_name": device_name, "usd_per_hour": usd_per_hour}
    return _set(connection, same, values, valid_from, note)


def set_per_image(
    connection: Connection, model: str, usd_per_image: float, *, valid_from: datetime | None = None, note: str = ""
) -> UUID:
    """The price of one image of an API model from now on; the one before ends there."""
    values = {"model": model, "usd_per_image": usd_per_image}
    return _set(connection, [Price.model == model], values, valid_from, note)


def _set(
    connection: Connection, same: list[Any], values: dict[str, Any], valid_from: datetime | None, note: str
) -> UUID:
    start = valid_from or func.now()
    open_ended = update(Price).where(*same, Price.valid_to.is_(None), Price.valid_from < start)
    connection.execute(open_ended.values(valid_to=start))
    price_id = new_id()
    connection.execute(insert(Price).values(id=price_id, valid_from=start, note=note, **values))
    return price_id
