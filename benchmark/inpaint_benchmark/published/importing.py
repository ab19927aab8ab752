"""Bringing a publication into the database, where its numbers can be asked for beside our own."""

from __future__ import annotations

from inpaint_db.published_queries import PublishedRow, list_published, replace_published
from sqlalchemy import Connection

from inpaint_benchmark.published.publication import read_publication


def import_published(connection: Connection, source: str) -> list[PublishedRow]:
    """Write what the package holds of a publication in place of what is there; its rows."""
    replace_published(connection, source, rows_of(source))
    return list_published(connection, source)


def ensure_published(connection: Connection, source: str) -> list[PublishedRow]:
    """Its rows, brought in if there are none."""
    publication = read_publication(source)  # refuses what is not known
    found = list_published(connection, source)
    there = {row.model for row in found}
    return found if there.issuperset(m.model for m in publication.models) else import_published(connection, source)


def rows_of(source: str) -> list[PublishedRow]:
    """What the package holds of a publication, as rows."""
    publication = read_publication(source)
    return [
        PublishedRow(
            **model.model_dump(exclude={"device", "usd_per_hour"}),
            pixels=publication.pixels,
            published_on=publication.published_on,
            position=position,
            device=publication.device_of(model),
            usd_per_hour=publication.usd_per_hour_of(model),
        )
        for position, model in enumerate(publication.models, start=1)
    ]
