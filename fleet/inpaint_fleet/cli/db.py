"""`inpaint db`: the schema, and questions to the database."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from inpaint_fleet.cli import console, options

app = typer.Typer(no_args_is_help=True, help="The database: its schema, and questions of your own in SQL.")


@app.command("upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Up to which revision.")] = "head",
) -> None:
    """Bring the database to the schema of this program. Running it again changes nothing."""
    from inpaint_core.settings import load_settings
    from inpaint_db import migrate

    with _known_revision(revision):
        _tell_move(*migrate.upgrade(load_settings(), revision))


# "-1" is a revision here, not an option.
@app.command("downgrade", context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help='Down to which revision; "-1" is one step, "base" is empty.')
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take the schema back. What the dropped tables and columns hold is lost."""
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db import migrate

    if not yes and not console.confirm(f"Downgrade to {revision}? Data of dropped tables is lost."):
        raise InvalidRequest("A downgrade loses data; confirm it with --yes.")
    with _known_revision(revision):
        _tell_move(*migrate.downgrade(load_settings(), revision))


@app.command("current")
def current(as_json: options.Json = False) -> None:
    """Show which revision the database is at, and which this program needs. Exit code 7 if they differ."""
    from inpaint_core.settings import load_settings
    from inpaint_db import migrate
    from inpaint_db.session import Database

    wanted = migrate.head_revision()
    with Database(load_settings()) as database, database.read() as connection:
        found = migrate.current_revision(connection)
        if as_json:
            console.document({"current": found, "wanted": wanted, "up_to_date": found == wanted})
        else:
            console.say(found or "(empty)")
        migrate.require_current(connection)


@app.command("query")
def query(
    statement: Annotated[str, typer.Argument(metavar="SQL", help='One statement; "-" reads it from stdin.')],
    as_json: options.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values, with a header.")] = False,
    timeout: Annotated[float, typer.Option(min=0.001, max=3600, metavar="SECONDS", help="Give up after.")] = 30,
) -> None:
    """Ask the database in SQL. Reads only; the view job_report has a row for each job.

    Example: inpaint db query "SELECT model, status, count(*) FROM job_report GROUP BY 1, 2"
    """
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db.session import Database

    from inpaint_fleet.sql import ask

    if as_json and as_csv:
        raise InvalidRequest("Choose one of --json and --csv.")
    with Database(load_settings(), application="inpaint-query") as database:
        answer = ask(database, sys.stdin.read() if statement == "-" else statement, timeout_s=timeout)
    if as_json:
        console.document([dict(zip(answer.columns, map(_json_value, row), strict=True)) for row in answer.rows])
    elif as_csv:
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([[_text(value) for value in row] for row in answer.rows])
    elif not answer.columns:
        console.tell("the statement has no result")
    else:
        console.table(answer.columns, [[_text(value) for value in row] for row in answer.rows], whole=True)


@app.command("grant-analyst")
def grant_analyst(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The role in Postgres; it is made if there is none.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password of a new role from stdin instead of asking.")
    ] = False,
    group: Annotated[
        bool, typer.Option("--group", help="Make it a role that cannot log in, to be granted to people's own.")
    ] = False,
) -> None:
    """Let a role of Postgres read the views of the schema bench, and nothing else.

    No jobs, prompts or addresses of objects. Running it again changes nothing. A role that is there keeps its password.
    """
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db import analysts
    from inpaint_db.session import Database

    if password_stdin and group:
        raise InvalidRequest("A role that cannot log in needs no password: choose one of --password-stdin and --group.")
    with Database(load_settings(), application="inpaint-grant") as database:
        with database.read() as connection:
            there = analysts.role_exists(connection, name)
        if there and (password_stdin or group):
            raise InvalidRequest(f"The role {name} is there already, and stays what it is. Leave the option out.")
        password = None if there or group else _new_password(from_stdin=password_stdin)
        with database.begin() as connection:
            analysts.grant_analyst(connection, name, password=password)
    what = "was there" if there else "a new group" if group else "new"
    console.say(f"{name} ({what}) may read the views of the schema bench, for at most 30 s a query.")


def _new_password(*, from_stdin: bool) -> str:
    import getpass

    from inpaint_core.errors import InvalidRequest

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass.getpass("Password of the new role: ")
        if getpass.getpass("The same again: ") != password:
            raise InvalidRequest("The two passwords differ.")
    else:
        raise InvalidRequest("A new role needs a password: pipe it in with --password-stdin, or use --group.")
    if len(password) < 8:
        raise InvalidRequest("A password has at least 8 characters.")
    return password


@contextlib.contextmanager
def _known_revision(revision: str) -> Iterator[None]:
    from alembic.util import CommandError
    from inpaint_core.errors import InvalidRequest

    try:
        yield
    except CommandError as error:
        raise InvalidRequest(f"Revision {revision!r} cannot be gone to: {error}.") from None


def _tell_move(before: str | None, after: str | None) -> None:
    if before == after:
        console.say(f"{after or '(empty)'}: nothing to do")
    else:
        console.say(f"{before or '(empty)'} -> {after or '(empty)'}")


def _json_value(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None  # JSON has no word for it
    return value.hex() if isinstance(value, bytes | memoryview) else value


def _text(value: Any) -> Any:
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, default=console.plain, ensure_ascii=False)
    return value.hex() if isinstance(value, bytes | memoryview) else value
