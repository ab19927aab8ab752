"""`inpaint ratings link`: a personal link for somebody who rates, and a session to go with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, options, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inpaint_core.settings import Settings
    from inpaint_db.raters import RaterRow

RaterName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the rater; views show it.")]
#: A link that ends sooner is told with the time of day.
_SOON = timedelta(days=2)


def link(
    rater_name: RaterName,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="What to rate: a run, or latest.")] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or: results of this campaign's jobs, the newest.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Or: of this model's jobs.", autocompletion=options.complete_model),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the rater sees as the session's name. Default: its date alone."),
    ] = None,
    days: Annotated[float, typer.Option(help="For how many days the link is valid: 0.042 (an hour) to 3650.")] = 30,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many pictures. Samples are drawn whole, at least one; sets of trials and checks come on "
            "top. Default: all, and 100 of jobs.",
        ),
    ] = None,
    checks: Annotated[
        float | None, typer.Option(min=0, max=1, help="Hidden checks per picture, 0 to 1. Default: 0.1.")
    ] = None,
    min_dwell: Annotated[
        float | None,
        typer.Option(
            "--min-dwell", min=0, max=600, help="Seconds to look at an item before it can be rated. Default: 2."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeats an order exactly. Chosen at random if absent.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="A second session for somebody who has finished one about the same.")
    ] = False,
    note: Annotated[str, typer.Option(help="Who it is, for whoever reads it later.")] = "",
    as_json: options.Json = False,
) -> None:
    """Make a personal link for somebody who rates; with --run, --campaign or --model a session in which to do so.

    Whoever has the link is that rater, so send it to nobody else. It is shown this once; asking again makes a new one,
    and ends the old. An unfinished session about the same goes on; after a finished one a second needs --again.

    Example: inpaint ratings link "Ada" --run latest
    """
    from inpaint_core.settings import load_settings
    from inpaint_db.raters import list_raters, make_rater
    from inpaint_db.session import Database

    from inpaint_fleet.cli.ratings_session import Wanted, find_or_make, told

    wanted = Wanted(run, campaign, model, name, limit, checks, min_dwell, seed, again)
    wanted.refuse_contradictions()
    settings = load_settings()
    with Database(settings) as database, database.begin() as connection:
        before = list_raters(connection)
        rater, token = make_rater(connection, rater_name, days=days, note=note)
        session, contents = find_or_make(connection, settings, rater, wanted) if wanted.is_any else (None, None)
    address = f"{_base(settings)}/enter/{token}"
    _tell_like(rater, before)
    if as_json:
        console.document({"rater": rater, "session": session, "contents": contents, "link": address})
        return
    if session is not None and contents is not None:
        # Here the run is named: it is the operator who reads this.
        console.tell(f"{rater.name}: {told(session, contents)}")
    ended = "; the older link of theirs ended" if any(r.id == rater.id and _opens(r) for r in before) else ""
    console.tell(f"valid until {_until(rater)}; `inpaint web` serves it{ended}")
    console.say(address)


def _opens(rater: RaterRow) -> bool:
    """Whether a rater has a link that works."""
    return (
        rater.token_expires_at is not None and rater.token_expires_at > datetime.now(UTC) and rater.revoked_at is None
    )


def _until(rater: RaterRow) -> str:
    until = rater.token_expires_at
    if until is not None and until - datetime.now(UTC) > _SOON:
        return f"{until:%Y-%m-%d}"
    return wording.moment(until)


def _tell_like(rater: RaterRow, before: Sequence[RaterRow]) -> None:
    """Two names that differ by case or spaces are often one person, who would count as two."""
    if any(there.id == rater.id for there in before):
        return
    like = [there.name for there in before if _bare(there.name) == _bare(rater.name)]
    if like:
        console.note(f"there is {' and '.join(map(repr, like))} too: {rater.name!r} is somebody else, with other stars")


def _bare(name: str) -> str:
    return "".join(name.split()).casefold()


def _base(settings: Settings) -> str:
    return (settings.web_url or f"http://{settings.web_host}:{settings.web_port}").rstrip("/")
