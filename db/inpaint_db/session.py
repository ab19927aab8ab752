"""Connections to Postgres, and what goes wrong with them in the fleet's words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from inpaint_core.errors import AccessDenied, DatabaseUnavailable, DiskFull, InpaintError, OperatorError, SchemaBehind
from inpaint_core.settings import Settings, address
from sqlalchemy import Connection, Engine, create_engine, exc, make_url


class Database:
    """A pool of connections to one Postgres. Safe to use from several threads; close it at the end."""

    def __init__(self, settings: Settings, *, application: str = "inpaint", pool_size: int = 5) -> None:
        settings.need("Postgres")
        assert settings.postgres_url is not None  # noqa: S101  (`need` has checked)
        url = settings.postgres_url.get_secret_value()
        self.address = address(url) if urlsplit(url).hostname else "the configured socket"
        self.engine: Engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            # A connection that a restarted Postgres has dropped is noticed before a statement is lost to it.
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "connect_timeout": 3,
                "application_name": application,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
                "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
            },
        )

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back if it raises."""
        with self.errors(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for questions: nothing is committed."""
        with self.errors(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection on which each statement is its own transaction: one round trip instead of three."""
        with self.errors(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Translate what SQLAlchemy raises."""
        try:
            yield
        except exc.SQLAlchemyError as error:
            raise self._translate(error) from error

    def _translate(self, error: exc.SQLAlchemyError) -> InpaintError | exc.SQLAlchemyError:
        original: Any = getattr(error, "orig", None)
        state = getattr(original, "sqlstate", None) or ""
        text = str(original or error).strip().splitlines()[0] if str(original or error).strip() else ""
        facts = {"service": "Postgres", "address": self.address}
        if state.startswith("28") or "authentication failed" in text:
            return AccessDenied(
                f"Postgres at {self.address} refused the user or password. Check INPAINT_POSTGRES_URL.", **facts
            )
        if state == "42501":
            return AccessDenied(f"Postgres at {self.address} does not permit this: {text}", **facts)
        if state == "3D000" or ("database" in text and "does not exist" in text):
            return OperatorError(f"Postgres at {self.address}: {text}. Create it, or mend INPAINT_POSTGRES_URL.")
        if state in ("42P01", "42703", "3F000"):
            return SchemaBehind(
                f"The database at {self.address} has an older schema than this program ({text}). "
                "Run: inpaint db upgrade",
                **facts,
            )
        if state == "2BP01":
            return OperatorError(f"Postgres at {self.address}: {text}. Drop what of your own depends on it first.")
        if state in ("55P03", "57014"):
            return DatabaseUnavailable(
                f"Postgres at {self.address} is busy: {text}. Another session holds a lock, or it took too long.",
                **facts,
            )
        if state in ("53100", "58030") or "No space left on device" in text:
            return DiskFull(f"Postgres at {self.address} has no disk space left. Free some, then try again.", **facts)
        # 25006: it has become a standby that only reads.
        if isinstance(error, exc.TimeoutError) or state == "25006" or self._is_away(error, state):
            return DatabaseUnavailable(
                f"Postgres at {self.address} does not answer ({text[:200]}). Check that it runs and that "
                "INPAINT_POSTGRES_URL is right.",
                **facts,
            )
        return error

    @staticmethod
    def _is_away(error: exc.SQLAlchemyError, state: str) -> bool:
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            return True
        # 08: connection lost; 57P: server stops or starts; 53: out of resources; 40: try again; 55P03/57014: timeouts.
        return state.startswith(("08", "57P", "53", "40")) or (
            state in ("55P03", "57014", "") and isinstance(error, exc.OperationalError | exc.InterfaceError)
        )
