"""Waking the relay: a notification from Postgres to whoever has a job for it to send."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from inpaint_core.errors import InpaintError
from inpaint_core.log import get_logger
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from inpaint_db.session import Database

RELAY_CHANNEL = "inpaint_relay"
log = get_logger("inpaint.relay")


def wake_relay(connection: Connection) -> None:
    """Have every relay sweep as soon as this transaction is committed."""
    connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": RELAY_CHANNEL})


class RelayAlarm:
    """Waits for a notification or for a time to pass, whichever comes first. For one thread.

    Notifications only shorten the wait. Without a connection it is the full time, and the next wait tries again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection | None = None

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """True if somebody called. Returns early if `stop` is set, too, within half a second."""
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            try:
                if any(True for _ in self._listening().notifies(timeout=min(left, 0.5), stop_after=1)):
                    return True
            except (psycopg.Error, SQLAlchemyError, InpaintError) as error:
                log.debug("alarm_lost", reason=str(error))
                self.close()
                stop.wait(min(left, 1.0))
        return False

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listening(self) -> psycopg.Connection:
        if self._connection is None:
            with self._database.errors():
                # Out of the pool for good: a connection that listens is of no other use.
                pooled = self._database.engine.raw_connection()
                connection: Any = pooled.driver_connection
                pooled.detach()
            connection.autocommit = True
            connection.execute(f"LISTEN {RELAY_CHANNEL}")
            self._connection = connection
        return self._connection
