"""Analysts: roles that read the views of the schema `bench` and nothing else."""

from __future__ import annotations

from typing import Any

from inpaint_core.errors import AccessDenied, InvalidRequest, SchemaBehind
from psycopg import sql
from sqlalchemy import Connection, exc, text

from inpaint_db.views import SCHEMA

#: Read-only and short, so that a question stands in nobody's way. An analyst can change these for a session; what they
#: may read and write is a matter of rights.
_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    # A transaction that is left open would keep the next migration waiting.
    "idle_in_transaction_session_timeout": "60s",
    "search_path": SCHEMA,
    # The history is sorted in memory rather than on disk.
    "work_mem": "32MB",
}
#: What makes large objects.
_LARGE_OBJECTS = ("pg_catalog.lo_creat(integer)", "pg_catalog.lo_create(oid)", "pg_catalog.lo_from_bytea(oid, bytea)")
#: Sessions of one role: an analyst's tools must not use up the connections that workers need.
_CONNECTIONS = 10


def role_exists(connection: Connection, name: str) -> bool:
    """Whether there is such a role."""
    found = connection.scalar(text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name)"), {"name": name})
    return bool(found)


def grant_analyst(connection: Connection, name: str, *, password: str | None = None) -> bool:
    """Let the role `name` read all views of `bench`, also after they are made anew; whether it was made here.

    A new role may log in with `password`; without one it is a group, whose members read what it may. A role that is
    there keeps its password. `InvalidRequest` for one that can do more than an analyst: a superuser, the fleet's own,
    or one that reads its tables. Everything or nothing, in the transaction of `connection`.
    """
    _require_sensible(name)
    if not connection.scalar(text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": SCHEMA}):
        raise SchemaBehind(f"The database has no schema {SCHEMA}. Run: inpaint db upgrade")
    made = not role_exists(connection, name)
    if not made and password is not None:
        raise InvalidRequest(f"The role {name} is there already and keeps its password; leave the new one out.")
    try:
        if made:
            _make(connection, name, password)
        _require_harmless(connection, name)
        _grant(connection, name)
    except exc.DBAPIError as error:
        raise _explain(error, name) from error
    _require_no_more(connection, name)
    return made


def _make(connection: Connection, name: str, password: str | None) -> None:
    if password is None:
        _run(connection, "CREATE ROLE {role} NOLOGIN", role=name)
        return
    raw: Any = connection.connection.driver_connection
    # Hashed here, so that the server's log of statements does not learn it.
    hashed = raw.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("CREATE ROLE {role} LOGIN CONNECTION LIMIT {limit} PASSWORD {password}").format(
        role=sql.Identifier(name), limit=sql.Literal(_CONNECTIONS), password=sql.Literal(hashed)
    )
    _execute(connection, statement.as_string(raw))


def _grant(connection: Connection, name: str) -> None:
    database = str(connection.scalar(text("SELECT current_database()")))
    facts = {"role": name, "schema": SCHEMA, "database": database}
    # What anybody may do unless it is taken away. Owners and superusers keep it.
    _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", **facts)
    _run(connection, "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC", **facts)
    # Large objects belong to no schema, and fill the disk. Only a superuser can take this away.
    if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        _execute(connection, f"REVOKE EXECUTE ON FUNCTION {', '.join(_LARGE_OBJECTS)} FROM PUBLIC")
    _run(connection, "GRANT CONNECT ON DATABASE {database} TO {role}", **facts)
    _run(connection, "GRANT USAGE ON SCHEMA {schema} TO {role}", **facts)
    _run(connection, "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}", **facts)
    # Views are made anew with each revision, by the same user as now.
    _run(connection, "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}", **facts)
    raw: Any = connection.connection.driver_connection
    for setting, value in _SETTINGS.items():
        statement = sql.SQL("ALTER ROLE {role} IN DATABASE {database} SET {setting} = {value}").format(
            role=sql.Identifier(name),
            database=sql.Identifier(database),
            setting=sql.Identifier(setting),
            value=sql.Literal(value),
        )
        _execute(connection, statement.as_string(raw))


def _require_sensible(name: str) -> None:
    if not name or len(name.encode()) > 63 or "\0" in name:
        raise InvalidRequest("The name of a role has 1 to 63 bytes.", field="name")
    if name.lower() in ("public", "none") or name.lower().startswith("pg_"):
        raise InvalidRequest(f"Postgres keeps the name {name} for itself. Choose another.", field="name")


def _require_harmless(connection: Connection, name: str) -> None:
    row = connection.execute(
        text("""
        SELECT r.rolsuper, r.rolcreaterole, r.rolreplication, r.rolname IN (current_user, session_user) AS own,
               pg_has_role(r.oid, d.datdba, 'MEMBER') AS owner,
               -- These read and write files, run programs, or see what others ask; those that read or write tables are
               -- told of with the tables.
               (SELECT string_agg(p.rolname, ', ') FROM pg_roles p
                 WHERE p.rolname ~ '^pg_' AND p.rolname NOT IN ('pg_read_all_data', 'pg_write_all_data')
                   AND pg_has_role(r.oid, p.oid, 'MEMBER')) AS kept
          FROM pg_roles r, pg_database d WHERE r.rolname = :name AND d.datname = current_database()"""),
        {"name": name},
    ).one()
    if row.own:
        raise InvalidRequest(f"{name} is the fleet's own user, which must write. Name another role.", field="name")
    for is_more, what in (
        (row.rolsuper, "is a superuser"),
        (row.rolcreaterole, "may make and change other roles"),
        (row.rolreplication, "may copy the whole server"),
        (row.owner, "owns this database, or can act as its owner"),
        (row.kept, f"is a member of {row.kept}"),
    ):
        if is_more:
            raise InvalidRequest(f"{name} {what}: it can do more than read views. Name another role.", field="name")


def _require_no_more(connection: Connection, name: str) -> None:
    """Refuse a role that can reach the tables by other ways: grants of its own, or of roles it is a member of."""
    reached = connection.scalars(
        text("""
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'm')
           AND (has_table_privilege(:name, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
                OR has_any_column_privilege(:name, c.oid, 'SELECT, INSERT, UPDATE'))
         ORDER BY c.relname"""),
        {"name": name},
    ).all()
    if reached:
        raise InvalidRequest(
            f"{name} can read or write {', '.join(reached[:3])}{' and others' if len(reached) > 3 else ''}, by a right "
            "of its own or of a role that it is a member of. Revoke that, or name another role.",
            field="name",
        )


def _explain(error: exc.DBAPIError, name: str) -> Exception:
    original: Any = error.orig
    state = getattr(original, "sqlstate", None) or ""
    said = str(getattr(getattr(original, "diag", None), "message_primary", None) or original)
    if state == "42501":
        return AccessDenied(
            f"Postgres does not let the fleet's user do this: {said}. Let an administrator make the role {name} and "
            "grant it to the fleet's user WITH ADMIN OPTION, then run this again."
        )
    if state in ("42939", "42602", "22021"):
        return InvalidRequest(f"Postgres does not take this name: {said}.", field="name")
    return error


def _run(connection: Connection, statement: str, **names: str) -> None:
    raw: Any = connection.connection.driver_connection
    quoted = {key: sql.Identifier(value) for key, value in names.items()}
    _execute(connection, sql.SQL(statement).format(**quoted).as_string(raw))


def _execute(connection: Connection, statement: str) -> None:
    # Without parameters, so that a % is a %.
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
