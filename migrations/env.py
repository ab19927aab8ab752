"""Alembic's entry: one transaction, one migration at a time, never waiting long for a lock that production holds."""

from __future__ import annotations

from alembic import context
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from inpaint_core.settings import load_settings
from inpaint_db.schema import metadata
from inpaint_db.session import Database
from inpaint_db.views import create_views, drop_schema, drop_views
from sqlalchemy import Connection, text

#: Any number, as long as every version of this program uses the same.
ADVISORY_LOCK = 0x1A9A1317


def run(connection: Connection) -> None:
    """Migrate on `connection`, which is in a transaction."""
    # A second upgrade waits for the first to end; a table that production holds is not waited for that long.
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    connection.execute(text("SET LOCAL lock_timeout = '10min'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
        compare_server_default=True,
    )
    head = ScriptDirectory.from_config(context.config).get_current_head()
    if context.config.attributes.get("direction") == "upgrade" and _revision(connection) == head:
        return  # nothing to do, and nobody who reads a view has to wait
    # Views depend on columns and hold nothing: they are dropped first and made anew from their files afterwards.
    drop_views(connection)
    context.run_migrations()
    if head is not None and _revision(connection) == head:
        create_views(connection)
    elif _revision(connection) is None:
        drop_schema(connection)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # called by the alembic command itself
    with Database(load_settings(), application="alembic") as database, database.begin() as own:
        run(own)
