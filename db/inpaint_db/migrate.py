"""Bringing a database to the schema of this program, and back."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from inpaint_core.errors import SchemaBehind
from inpaint_core.settings import Settings
from sqlalchemy import Connection

from inpaint_db.session import Database


def migrations_folder() -> Path:
    """Where the migration scripts lie: inside the installed package, or at the root of a checkout."""
    package = Path(str(resources.files("inpaint_db")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest revision that this program knows."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None  # noqa: S101  (there is always a first migration)
    return head


def current_revision(connection: Connection) -> str | None:
    """The revision of the database; None if it has never been migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(settings: Settings, revision: str = "head") -> tuple[str | None, str | None]:
    """Migrate up to `revision`; the revisions before and after. All in one transaction: it happens whole or not."""
    return _migrate(settings, "upgrade", revision)


def downgrade(settings: Settings, revision: str) -> tuple[str | None, str | None]:
    """Migrate down to `revision` ("base" for empty, "-1" for one step). Data of dropped columns is lost."""
    return _migrate(settings, "downgrade", revision)


def _migrate(settings: Settings, direction: str, revision: str) -> tuple[str | None, str | None]:
    with Database(settings, application="inpaint-migrate") as database, database.begin() as connection:
        before = current_revision(connection)
        config = alembic_config(connection)
        config.attributes["direction"] = direction
        getattr(command, direction)(config, revision)
        return before, current_revision(connection)


def require_current(connection: Connection) -> None:
    """`SchemaBehind` unless the database has the schema of this program."""
    found, wanted = current_revision(connection), head_revision()
    if found == wanted:
        return
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaBehind(
            f"The database is at revision {found}, which this program does not know (its own is {wanted}): "
            "a newer version has migrated it. Update this program.",
            found=found,
            wanted=wanted,
        )
    raise SchemaBehind(
        f"The database is {'empty' if found is None else f'at revision {found}'}, and this program needs {wanted}. "
        "Run: inpaint db upgrade",
        found=found,
        wanted=wanted,
    )
