"""`inpaint ratings`: who rates, what they said, and stars that come from or go elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inpaint_fleet.cli import console, options, wording
from inpaint_fleet.cli.ratings_link import RaterName, link
from inpaint_fleet.cli.ratings_summary import summary
from inpaint_fleet.cli.ratings_words import words

app = typer.Typer(no_args_is_help=True, help="Invite people to rate results, and see what their stars say.")
app.command("link")(link)
app.command("summary")(summary)
app.command("words")(words)


@app.command("raters")
def raters(as_json: options.Json = False) -> None:
    """List raters with their sessions, and whether their links work."""
    from inpaint_core.settings import load_settings
    from inpaint_db.raters import list_raters
    from inpaint_db.rating_sessions import list_sessions
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        found = [(rater, list_sessions(connection, rater.id)) for rater in list_raters(connection)]
    if as_json:
        console.document([{"rater": rater, "sessions": sessions} for rater, sessions in found])
        return
    if not found:
        console.tell('nobody yet; invite somebody with `inpaint ratings link "Ada" --run latest`')
        return
    rows = [
        (
            rater.name, rater.kind, len(sessions), f"{sum(s.done for s in sessions)}/{sum(s.items for s in sessions)}",
            "withdrawn" if rater.revoked_at else wording.moment(rater.token_expires_at), rater.note,
        )
        for rater, sessions in found
    ]  # fmt: skip
    console.table(("rater", "kind", "sessions", "done", "link until", "note"), rows)


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

    Columns: model, sample, criterion, stars (0 to 4), and perhaps run, trial, rater, duration_s, rating_id. The same
    file again adds nothing. The raters are marked as imported.
    """
    from inpaint_benchmark.ratings.importing import import_rows
    from inpaint_benchmark.ratings.reading import read_rows
    from inpaint_core.settings import load_settings
    from inpaint_db.session import Database

    rows = read_rows(file)
    with Database(load_settings()) as database, database.begin() as connection:
        found = import_rows(connection, rows, file=file.name, run=run, rater=rater)
    if as_json:
        console.document(found)
        return
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
        new = import_published_stars(connection, source, find_run(connection, run) if run else None)
    console.say(f"{wording.plural(new, 'rating')} brought in")


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
    from inpaint_core.settings import load_settings
    from inpaint_db.rating_reports import export_ratings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        rows = export_ratings(connection, find_run(connection, run).id if run else None)
    text = export_text(rows, format_)
    if output is None:
        console.say(text.rstrip("\n"))
        return
    output.write_text(text, encoding="utf-8")
    console.say(str(output))
