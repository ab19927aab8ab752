"""Views: what analysts ask. Each .sql file here makes one, and a COMMENT tells what each column means."""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Connection, text

#: In the order in which they depend on each other.
VIEWS = ("attempt_cost", "job_report")


def create_views(connection: Connection) -> None:
    """Make all views anew."""
    for name in VIEWS:
        statement = resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
        connection.exec_driver_sql(statement)


def drop_views(connection: Connection) -> None:
    """Drop all views; they hold no data."""
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
