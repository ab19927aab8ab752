"""`inpaint ratings link`: a personal link for somebody who rates, and a session to go with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint_fleet.cli import console, options, wording

if TYPE_CHECKING:
    from inpaint_core.settings import Settings
    from inpaint_db.rating_sessions import SessionRow

RaterName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the rater; views show it.")]


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
    days: Annotated[float, typer.Option(help="For how many days the link is valid.")] = 30,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many pictures, of samples that are drawn whole. Default: all, and 100 of jobs."
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
    note: Annotated[str, typer.Option(help="Who it is, for whoever reads it later.")] = "",
    as_json: options.Json = False,
) -> None:
    """Make a personal link for somebody who rates; with --run, --campaign or --model a session in which to do so.

    Whoever has the link is that rater, so send it to nobody else. It is shown this once; asking again makes a new one,
    and ends the old. An unfinished session about the same goes on.

    Example: inpaint ratings link "Ada" --run latest
    """
    from dataclasses import replace

    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings
    from inpaint_db.raters import make_rater
    from inpaint_db.rating_sessions import CHECK_SHARE, MIN_DWELL_S, list_sessions, make_session
    from inpaint_db.rating_subjects import JobQuery
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    from inpaint_fleet.cli.blindness import refuse_telling

    if run is not None and (campaign is not None or model is not None):
        raise InvalidRequest(
            "A session is about a run (--run) or about jobs (--campaign, --model), not both.", field="run"
        )
    query = None
    if campaign is not None or model is not None:
        query = JobQuery(campaign=campaign, model=model)
        query = query if limit is None else replace(query, limit=limit)
    settings = load_settings()
    with Database(settings) as database, database.begin() as connection:
        rater, token = make_rater(connection, rater_name, days=days, note=note)
        session = None
        if run is not None or query is not None:
            found = find_run(connection, run) if run is not None else None
            if name is not None:
                refuse_telling(name, settings, found.models if found else [])
            about = (found.id if found else None, query.as_json() if query else None)
            going_on = [
                s for s in list_sessions(connection, rater.id) if (s.run_id, s.query) == about and not s.finished_at
            ]
            if going_on:
                session = going_on[0]
                asked = {"name": name, "check_share": checks, "min_dwell_s": min_dwell, "seed": seed}
                _refuse_other(session, {key: value for key, value in asked.items() if value is not None})
                if limit is not None and run is not None:
                    console.note(f"--limit is not looked at: a session of {session.items} items goes on")
            else:
                session = make_session(
                    connection, rater.id, name or f"Session of {datetime.now(UTC):%-d %B %Y}",
                    run_id=about[0], query=query, seed=seed, check_share=CHECK_SHARE if checks is None else checks,
                    min_dwell_s=MIN_DWELL_S if min_dwell is None else min_dwell, limit=limit,
                )  # fmt: skip
    address = f"{_base(settings)}/enter/{token}"
    if as_json:
        console.document({"rater": rater, "session": session, "link": address})
        return
    if session is not None:
        left = wording.plural(session.items - session.done, "item")
        # Here the run is named: it is the operator who reads this.
        of = f", about {session.run}" if session.run else ""
        console.tell(f"{rater.name}: {left} to rate of {session.name}{of}")
    console.tell(f"valid until {rater.token_expires_at:%Y-%m-%d}; `inpaint web` serves it; older links of theirs ended")
    console.say(address)


_OPTIONS = {"name": "--name", "check_share": "--checks", "min_dwell_s": "--min-dwell", "seed": "--seed"}


def _refuse_other(session: SessionRow, asked: dict[str, Any]) -> None:
    """A session is never changed: whoever asks for another than the one that goes on has to know."""
    from inpaint_core.errors import InvalidRequest

    for key, value in asked.items():
        there = getattr(session, key)
        if there != value:
            raise InvalidRequest(
                f"{session.rater} has an unfinished session about this, whose {_OPTIONS[key]} is {there}, not {value}. "
                f"Leave {_OPTIONS[key]} out to go on with it, or let it be finished first. Nothing was changed.",
                field=key,
            )


def _base(settings: Settings) -> str:
    return (settings.web_url or f"http://{settings.web_host}:{settings.web_port}").rstrip("/")
