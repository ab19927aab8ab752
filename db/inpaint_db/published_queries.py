"""Statements about published numbers: written per publication as a whole, never mixed with what was measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from inpaint_db.runs import Published


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What a publication says of a model; stars are 0 to 4. See `inpaint_db.runs.Published`."""

    model: str
    card: str | None
    position: int
    facts: dict[str, Any]
    realism: int | None
    adaptability: int | None
    consistency: int | None
    preservation: int | None
    reproducibility: int | None
    gpu_memory_gb: float | None
    inference_s: float | None
    cost_per_1k_usd: float | None
    device: str | None
    usd_per_hour: float | None
    pixels: int | None
    steps: int | None
    published_on: date | None


def list_published(connection: Connection, source: str) -> list[PublishedRow]:
    """The models of a publication, in its order."""
    columns = [getattr(Published, field.name) for field in fields(PublishedRow)]
    rows = connection.execute(select(*columns).where(Published.source == source).order_by(Published.position))
    return [PublishedRow(**row._mapping) for row in rows]


def replace_published(connection: Connection, source: str, rows: Sequence[PublishedRow]) -> None:
    """Write all that a publication says, in place of what was there of it."""
    connection.execute(delete(Published).where(Published.source == source))
    if rows:
        connection.execute(insert(Published), [{"source": source, **asdict(row)} for row in rows])
