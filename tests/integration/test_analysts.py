"""A role that reads `bench` and nothing else, over connections of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
import pytest
from factories import make_illustrated_job, make_output, make_trial, make_worker, try_claim
from inpaint_core.errors import InvalidRequest
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.analysts import grant_analyst
from inpaint_db.claims import AttemptReport, finish
from inpaint_db.migrate import downgrade, upgrade
from inpaint_db.schema import metadata
from inpaint_db.session import Database
from inpaint_db.views import ANALYST_VIEWS, VIEWS
from psycopg import errors, sql
from sqlalchemy import text

PASSWORD = "correct horse % battery"
SECRET = "a sofa of which nobody knows yet"
Connect = Callable[[str], "psycopg.Connection[tuple[Any, ...]]"]


@pytest.fixture
def role(servers: Settings) -> Iterator[str]:
    """The name of a role that is dropped afterwards: roles belong to the whole server."""
    name = f"analyst_{uuid4().hex[:12]}"
    yield name
    drop_role(servers, name)


def drop_role(servers: Settings, name: str) -> None:
    assert servers.postgres_url is not None
    with psycopg.connect(servers.postgres_url.get_secret_value(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture
def live(role: str, empty_database: Settings) -> Iterator[Database]:
    """A database with a job of production and one of a run. Its grants go before the role does."""
    upgrade(empty_database)
    with Database(empty_database, application="inpaint-test") as database:
        with database.begin() as connection:
            for index in range(2):
                job_id = make_illustrated_job(connection, prompt=SECRET, campaign="secret-campaign")
                claimed = try_claim(connection, job_id, make_worker(connection))
                assert claimed is not None
                report = AttemptReport({"inference_s": 1.0})
                assert finish(connection, claimed, JobStatus.SUCCEEDED, report, [make_output(claimed)])
                if index:
                    make_trial(connection, job_id)
        yield database


@pytest.fixture
def connect(live: Database) -> Connect:
    """Log in as a role."""
    parts = urlsplit(live.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))

    def log_in(name: str, password: str = PASSWORD) -> psycopg.Connection[tuple[Any, ...]]:
        address = f"{quote(name, safe='')}:{quote(password, safe='')}@{parts.hostname}:{parts.port}"
        return psycopg.connect(parts._replace(netloc=address).geturl(), autocommit=True)

    return log_in


@pytest.fixture
def analyst(live: Database, role: str, connect: Connect) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with live.begin() as connection:
        assert grant_analyst(connection, role, password=PASSWORD)
    with connect(role) as connection:
        yield connection
    with live.begin() as owner:
        # What hangs on the role would keep it from being dropped.
        owner.exec_driver_sql(f'DROP OWNED BY "{role}"')


Analyst = psycopg.Connection[tuple[Any, ...]]


def test_an_analyst_reads_every_view_of_bench(analyst: Analyst) -> None:
    for view in ANALYST_VIEWS:
        analyst.execute(f"SELECT * FROM {view}")  # type: ignore[arg-type]
    # Without naming the schema, too.
    assert analyst.execute("SELECT count(*) FROM trial_wide").fetchone() == (1,)


@pytest.mark.parametrize("table", sorted({*metadata.tables, *VIEWS} - set(ANALYST_VIEWS)))
def test_an_analyst_reads_no_table_and_no_other_view(analyst: Analyst, table: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
        analyst.execute(f"SELECT * FROM public.{table}")  # type: ignore[arg-type]


def test_no_view_shows_a_prompt_a_campaign_an_address_or_a_message(live: Database, analyst: Analyst) -> None:
    with live.begin() as connection:
        failed = make_illustrated_job(connection, prompt=SECRET, campaign="secret-campaign", tags={"who": "secret-tag"})
        claimed = try_claim(connection, failed, make_worker(connection))
        assert claimed is not None
        error = {"error_code": "invalid_image", "error_message": "secret-message"}
        assert finish(connection, claimed, JobStatus.FAILED, AttemptReport(), **error)
    for view in ANALYST_VIEWS:
        seen = str(analyst.execute(f"SELECT to_jsonb(v) FROM {view} v").fetchall())  # type: ignore[arg-type]
        for hidden in (SECRET, "secret-", "s3://", "a sofa"):
            assert hidden not in seen, view
    assert analyst.execute("SELECT jobs FROM failures_by_kind WHERE run IS NULL").fetchone() == (1,)


def test_an_analyst_writes_nothing(analyst: Analyst) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        analyst.execute("CREATE TEMP TABLE mine (a int)")
    # A session may lift that; what it may write is a matter of rights.
    analyst.execute("SET default_transaction_read_only = off")
    for statement in (
        "INSERT INTO public.dataset (name) VALUES ('mine')",
        "UPDATE public.job SET status = 'failed'",
        "CREATE TABLE public.mine (a int)",
        "CREATE TABLE bench.mine (a int)",
        "CREATE VIEW bench.mine AS SELECT 1",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "SET ROLE inpaint",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'as much as the disk holds')",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            analyst.execute(statement)  # type: ignore[arg-type]


def test_an_analyst_cannot_delete_through_a_view(analyst: Analyst) -> None:
    analyst.execute("SET default_transaction_read_only = off")
    for view in ANALYST_VIEWS:
        with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
            analyst.execute(f"DELETE FROM {view}")  # type: ignore[arg-type]


def test_a_query_of_an_analyst_has_a_time_limit(analyst: Analyst) -> None:
    assert analyst.execute("SHOW statement_timeout").fetchone() == ("30s",)
    analyst.execute("SET statement_timeout = '50ms'")
    with pytest.raises(errors.QueryCanceled):
        analyst.execute("SELECT pg_sleep(20)")


def test_views_that_are_made_anew_stay_readable(analyst: Analyst, empty_database: Settings) -> None:
    downgrade(empty_database, "-1")
    with pytest.raises(errors.UndefinedTable):
        analyst.execute("SELECT * FROM leaderboard")
    upgrade(empty_database)
    for view in ANALYST_VIEWS:
        analyst.execute(f"SELECT * FROM {view}")  # type: ignore[arg-type]
    with pytest.raises(errors.InsufficientPrivilege):
        analyst.execute("SELECT * FROM public.job")


def test_granting_again_changes_nothing(live: Database, role: str, analyst: Analyst) -> None:
    with live.begin() as connection:
        assert not grant_analyst(connection, role)
    assert analyst.execute("SELECT count(*) FROM leaderboard").fetchone() == (1,)


@pytest.mark.parametrize(
    "name", ['semi;colon"; DROP TABLE job; --', "per%cent %s", "Über Größe", "o'brien", "{role}", "new\nline"]
)
def test_a_name_is_a_name_whatever_is_in_it(live: Database, servers: Settings, connect: Connect, name: str) -> None:
    try:
        with live.begin() as connection:
            assert grant_analyst(connection, name, password=PASSWORD)
        with connect(name) as analyst:
            assert analyst.execute("SELECT current_user").fetchone() == (name,)
            assert analyst.execute("SELECT count(*) FROM leaderboard").fetchone() == (1,)
    finally:
        with psycopg.connect(str(live.engine.url.set(drivername="postgresql").render_as_string(False))) as owner:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        drop_role(servers, name)


def test_without_a_password_it_is_a_group(live: Database, role: str, connect: Connect) -> None:
    with live.begin() as connection:
        assert grant_analyst(connection, role)
        assert not connection.scalar(text("SELECT rolcanlogin FROM pg_roles WHERE rolname = :name"), {"name": role})
        connection.exec_driver_sql(f"CREATE ROLE {role}_member LOGIN PASSWORD 'x' IN ROLE {role}")
    with connect(f"{role}_member", "x") as member:
        assert member.execute("SELECT count(*) FROM bench.leaderboard").fetchone() == (1,)
        with pytest.raises(errors.InsufficientPrivilege):
            member.execute("SELECT * FROM public.job")
    with live.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE {role}_member; DROP OWNED BY {role}")


def test_the_password_is_not_said_to_the_server_in_clear(
    live: Database, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inpaint_db import analysts

    said: list[str] = []
    monkeypatch.setattr(analysts, "_execute", lambda _, statement: said.append(statement))
    with live.begin() as connection:
        analysts._make(connection, role, PASSWORD)
    assert "SCRAM-SHA-256$" in said[0] and PASSWORD not in said[0]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ("SUPERUSER", "is a superuser"),
        ("CREATEROLE", "may make and change other roles"),
        ("REPLICATION", "may copy the whole server"),
        ("IN ROLE pg_execute_server_program", "is a member of pg_execute_server_program"),
        ("IN ROLE pg_write_server_files", "is a member of pg_write_server_files"),
        ("IN ROLE pg_monitor", "is a member of pg_monitor"),
    ],
)
def test_a_role_that_can_do_more_is_refused(live: Database, role: str, attributes: str, says: str) -> None:
    with live.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} {attributes}")
    with live.begin() as connection, pytest.raises(InvalidRequest, match=says):
        grant_analyst(connection, role)


def test_the_fleets_own_user_is_refused(live: Database) -> None:
    with live.begin() as connection, pytest.raises(InvalidRequest, match="fleet's own user"):
        grant_analyst(connection, str(live.engine.url.username))


@pytest.mark.parametrize("granted", ["GRANT SELECT ON job TO {}", "GRANT pg_read_all_data TO {}"])
def test_a_role_that_reads_tables_already_is_refused(live: Database, role: str, granted: str) -> None:
    with live.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}; {granted.format(role)}")
    with pytest.raises(InvalidRequest, match="can read or write"), live.begin() as connection:
        grant_analyst(connection, role)
    with live.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")


@pytest.mark.parametrize("name", ["", "pg_monitor", "public", "none", "x" * 64])
def test_names_that_postgres_keeps_are_refused(live: Database, name: str) -> None:
    with live.begin() as connection, pytest.raises(InvalidRequest, match=r"keeps the name|1 to 63"):
        grant_analyst(connection, name)


# --- the command ------------------------------------------------------------------------------------------------------


def command(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    assert settings.postgres_url is not None
    env = {**os.environ, "INPAINT_POSTGRES_URL": settings.postgres_url.get_secret_value()}
    line = [sys.executable, "-m", "inpaint_fleet.cli", "db", "grant-analyst", *arguments]
    return subprocess.run(line, input=stdin, env=env, capture_output=True, text=True, timeout=60)


def test_the_command_makes_a_role_with_a_password_from_stdin(
    live: Database, empty_database: Settings, role: str, connect: Connect
) -> None:
    done = command(empty_database, role, "--password-stdin", stdin=PASSWORD + "\n")
    assert (done.returncode, done.stdout) == (
        0, f"{role} (new) may read the views of the schema bench, for at most 30 s a query.\n",
    )  # fmt: skip
    with connect(role) as analyst:
        assert analyst.execute("SELECT count(*) FROM leaderboard").fetchone() == (1,)
    assert "(was there)" in command(empty_database, role).stdout
    with live.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        ([], "", "pipe it in with --password-stdin, or use --group"),
        (["--password-stdin"], "short\n", "at least 8 characters"),
        (["--password-stdin", "--group"], "", "needs no password"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    live: Database, empty_database: Settings, role: str, arguments: list[str], stdin: str, says: str
) -> None:
    done = command(empty_database, role, *arguments, stdin=stdin)
    assert done.returncode != 0 and says in done.stderr and "Traceback" not in done.stderr
