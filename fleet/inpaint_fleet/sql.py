"""A question of one's own to the database: read-only, one statement, with a time limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inpaint_core.errors import InvalidRequest
from inpaint_db.session import Database
from sqlalchemy import exc

#: SQLSTATE classes that are the question's fault: no such table, bad syntax, division by zero, a second statement.
_ASKERS_FAULT = ("42", "22", "0A", "25", "3F", "P0", "21", "2F", "23")


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(database: Database, statement: str, *, timeout_s: float = 30) -> Answer:
    """Run one statement in a read-only transaction; `InvalidRequest` with what Postgres says if it does not work."""
    with database.errors(), database.engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(timeout_s * 1000))}")
        if connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar():
            # A superuser may read files and run programs from within a SELECT; whoever asks is to read tables.
            connection.exec_driver_sql("SET LOCAL ROLE pg_read_all_data")
        driver: Any = connection.connection.driver_connection
        # Prepared statements hold one statement only: "SELECT 1; COMMIT; DROP ..." is refused as a whole.
        before, driver.prepare_threshold = driver.prepare_threshold, 0
        try:
            # Without parameters, so that a % is a %. A cursor takes what reads, and no COPY, DO or CALL.
            bare = connection.execution_options(no_parameters=True)
            if statement.lstrip().lower().startswith(("explain", "show")):
                result = bare.exec_driver_sql(statement)
            else:
                bare.exec_driver_sql(f"DECLARE question NO SCROLL CURSOR FOR {statement.rstrip().rstrip(';')}")
                result = bare.exec_driver_sql("FETCH ALL FROM question")
            return Answer(tuple(result.keys()), [tuple(row) for row in result])
        except exc.DBAPIError as error:
            if not getattr(error.orig, "sqlstate", None):
                # Refused by the driver in the middle of an exchange (COPY): nothing more can be said on this line.
                connection.invalidate()
            raise _explain(error, timeout_s) from error
        finally:
            driver.prepare_threshold = before


def _explain(error: exc.DBAPIError, timeout_s: float) -> Exception:
    original: Any = error.orig
    state = getattr(original, "sqlstate", None) or ""
    if "COPY" in str(original):
        return InvalidRequest("COPY is not supported. Ask with SELECT, and use --csv for a file.")
    if state == "57014":
        return InvalidRequest(f"The query took longer than {timeout_s:g} s. Narrow it down, or raise --timeout.")
    if state == "25006":
        return InvalidRequest(f"Postgres refused the query: {_first_line(original)}. `inpaint db query` only reads.")
    if state.startswith(_ASKERS_FAULT):
        hint = getattr(getattr(original, "diag", None), "message_hint", None)
        return InvalidRequest(f"Postgres refused the query: {_first_line(original)}.{' ' + hint if hint else ''}")
    return error


def _first_line(error: Any) -> str:
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return str(primary or error).strip().splitlines()[0].rstrip(".")
