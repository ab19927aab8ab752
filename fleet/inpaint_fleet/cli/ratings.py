"""`inpaint ratings`: who rates, what they said, and stars that come from or go elsewhere."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, options, wording
from inpaint_fleet.cli.ratings_link import RaterName, link
from inpaint_fleet.cli.ratings_summary import summary
from inpaint_fleet.cli.ratings_words import words

if TYPE_CHECKING:
    from inpaint_db.raters import RaterRow
    from inpaint_db.rating_sessions import SessionRow

app = typer.Typer(no_args_is_help=True, help="Invite people to rate results, and see what their stars say.")
app.command("link")(link)
app.command("summary")(summary)
app.command("words")(words)


@app.command("raters")
def raters(as_json: options.Json = False) -> None:
    """List raters with their sessions and what these are about, their stars, and whether their links work."""
    from inpaint_core.settings import load_settings
    from inpaint_db.raters import list_raters
    from inpaint_db.rating_sessions import list_sessions
    from inpaint_db.rating_words import standing_of_raters
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        found = [(rater, list_sessions(connection, rater.id)) for rater in list_raters(connection)]
        stars = {rater.id: rater.ratings for rater in standing_of_raters(connection)}
    if as_json:
        console.document([{"rater": r, "sessions": sessions, "stars": stars[r.id]} for r, sessions in found])
        return
    if not found:
        console.tell('nobody yet; invite somebody with `inpaint ratings link "Ada" --run latest`')
        return
    console.table(
        ("rater", "kind", "sessions", "about", "done", "stars", "link", "note"),
        [_rater_row(rater, sessions, stars[rater.id]) for rater, sessions in found],
    )


def _rater_row(rater: RaterRow, sessions: list[SessionRow], stars: int) -> tuple[object, ...]:
    from inpaint_fleet.cli.ratings_session import subject

    about = ", ".join(dict.fromkeys(filter(None, map(subject, sessions))))
    if rater.kind == "imported":
        # What was given elsewhere is nobody's task here, and done.
        return rater.name, rater.kind, "", about, "", stars, "", rater.note
    done = f"{sum(s.done for s in sessions)}/{sum(s.items for s in sessions)}" if sessions else ""
    return rater.name, rater.kind, len(sessions), about, done, stars, _link(rater), rater.note


def _link(rater: RaterRow) -> str:
    until = rater.token_expires_at
    if rater.revoked_at is not None:
        return "withdrawn"
    if until is None:
        return "none"
    return f"{'expired' if until <= datetime.now(UTC) else 'until'} {wording.moment(until)}"


@app.command("revoke")
def revoke(name: RaterName) -> None:
    """Withdraw somebody's link at once. Their stars stay."""
    from inpaint_core.settings import load_settings
    from inpaint_db.raters import revoke as withdraw
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.begin() as connection:
        rater = withdraw(connection, name)
    console.say(f"{rater.name}: the link opens nothing any more")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON Lines, or Label Studio's JSON.")],
    run: Annotated[str | None, typer.Option(metavar="RUN", help="What rows that name no run are about.")] = None,
    rater: Annotated[str | None, typer.Option(metavar="NAME", help="Who gave all of them, whatever rows say.")] = None,
    as_json: options.Json = False,
) -> None:
    """Bring in stars that were given elsewhere, all of a file or none.

    Columns: model, sample, criterion, stars (0 to 4), and perhaps run, trial, rater, duration_s, rating_id, with
    commas, semicolons or tabs between them. The same file again adds nothing. The raters are marked as imported.
    """
    from inpaint_benchmark.ratings.importing import import_rows
    from inpaint_benchmark.ratings.reading import read_stars
    from inpaint_core.settings import load_settings
    from inpaint_db.session import Database

    read = read_stars(file)
    with Database(load_settings()) as database, database.begin() as connection:
        found = import_rows(connection, read.rows, file=file.name, run=run, rater=rater)
    if read.unread:
        named = ", ".join(f"{name} ({count:,})" for name, count in list(read.unread.items())[:10])
        console.note(f"labels that are no criterion were left out: {named}")
    if as_json:
        console.document(found)
        return
    if found.unprompted:
        console.note(
            f"{wording.plural(found.unprompted, 'row')} left out: adaptability where there was no prompt, which is not "
            "asked"
        )
    if found.checks:
        console.note(f"{wording.plural(found.checks, 'row')} left out: hidden checks, which say nothing of models")
    console.say(f"{wording.plural(found.new, 'rating')} brought in; {found.there:,} there already")


@app.command("import-published")
def import_published(
    source: Annotated[str, typer.Argument(metavar="NAME", help="A publication that the package holds: review.")],
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only of the models of this run, beside it.")] = None,
) -> None:
    """Enter the stars of a publication as those of a rater of their own, about models as a whole.

    They are marked as imported, stand in rows of their own, and are in no mean of results.
    """
    from inpaint_benchmark.ratings.published import import_published_stars
    from inpaint_core.settings import load_settings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.begin() as connection:
        about = find_run(connection, run, with_results=True) if run else None
        found = import_published_stars(connection, source, about)
    of = f", of the models of {about.name}" if about else ""
    console.say(f"{wording.plural(found.new, 'rating')} brought in; {found.there:,} there already{of}")


@app.command("export")
def export(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Only of this run, or latest. Default: all.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="csv|jsonl", help="CSV, or JSON Lines.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")] = None,
) -> None:
    """Write all stars that count, those of checks included: `purpose` tells them apart.

    Example: inpaint ratings export latest -o stars.csv
    """
    from inpaint_benchmark.ratings.exporting import export_text
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db.rating_reports import export_ratings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database
    from inpaint_producer.outputs import write_whole

    if output is not None and output.is_dir():
        raise InvalidRequest(f"{output} is a folder; name a file in it.", path=str(output))
    with Database(load_settings()) as database, database.read() as connection:
        rows = export_ratings(connection, find_run(connection, run, with_results=True).id if run else None)
    text = export_text(rows, format_)
    if output is None:
        console.say(text.rstrip("\n"))
        return
    try:
        write_whole(output, text.encode("utf-8"))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # said of the disk, as everywhere
        raise InvalidRequest(f"{output} cannot be written: {error.strerror or error}.", path=str(output)) from None
    console.say(str(output))
