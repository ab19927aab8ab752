"""Which session a personal link leads to: one that goes on, a new one, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inpaint_fleet.cli import console, wording

if TYPE_CHECKING:
    from inpaint_core.settings import Settings
    from inpaint_db.raters import RaterRow
    from inpaint_db.rating_sessions import Contents, SessionRow
    from inpaint_db.rating_subjects import JobQuery
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session as somebody asked for it; None: nothing was said."""

    run: str | None
    campaign: str | None
    model: str | None
    name: str | None
    limit: int | None
    checks: float | None
    min_dwell: float | None
    seed: int | None
    again: bool

    @property
    def is_any(self) -> bool:
        """Whether it is said what to rate."""
        return any(about is not None for about in (self.run, self.campaign, self.model))

    @property
    def query(self) -> JobQuery | None:
        """Which jobs; None: it is about a run."""
        from inpaint_db.rating_subjects import JobQuery

        if self.campaign is None and self.model is None:
            return None
        query = JobQuery(campaign=self.campaign, model=self.model)
        return query if self.limit is None else replace(query, limit=self.limit)

    def refuse_contradictions(self) -> None:
        """`InvalidRequest` where options need each other, or exclude each other."""
        from inpaint_core.errors import InvalidRequest

        if self.run is not None and self.query is not None:
            raise InvalidRequest(
                "A session is about a run (--run) or about jobs (--campaign, --model), not both.", field="run"
            )
        options = {
            "--name": self.name, "--limit": self.limit, "--checks": self.checks, "--min-dwell": self.min_dwell,
            "--seed": self.seed, "--again": self.again or None,
        }  # fmt: skip
        alone = [option for option, value in options.items() if value is not None]
        if alone and not self.is_any:
            raise InvalidRequest(
                f"{', '.join(alone)}: of a session, and none was asked for. Say what to rate with --run, --campaign or "
                "--model, or leave it out for a link alone.",
                field="run",
            )


def find_or_make(
    connection: Connection, settings: Settings, rater: RaterRow, wanted: Wanted
) -> tuple[SessionRow | None, Contents | None]:
    """The unfinished session of a rater about what is `wanted`, or a new one, and what it consists of.

    (None, None), and a note of it, where the rater has finished one: they have been told which model made what.
    """
    from inpaint_db.rating_sessions import CHECK_SHARE, MIN_DWELL_S, contents_of, list_sessions, make_session
    from inpaint_db.run_queries import find_run

    from inpaint_fleet.cli.blindness import refuse_telling

    run = find_run(connection, wanted.run, with_results=True) if wanted.run is not None else None
    query = wanted.query
    if wanted.name is not None:
        refuse_telling(wanted.name, settings, run.models if run else [])
    about = _about(run.id if run else None, query.as_json() if query else None)
    before = [s for s in list_sessions(connection, rater.id) if _about(s.run_id, s.query) == about]
    session = next((s for s in before if not s.finished_at), None)
    if session is not None:
        _refuse_other(session, wanted)
        if wanted.limit is not None:
            console.note(f"--limit is not looked at: a session of {session.items} items goes on")
    elif before and not wanted.again:
        console.note(
            f"{rater.name} has finished a session about it on {before[0].finished_at:%Y-%m-%d} and been told which "
            "model made what. The link is new, and there is no new session: a second one, whose stars are marked "
            "nothing special, needs --again"
        )
        return None, None
    else:
        session = make_session(
            connection, rater.id, wanted.name or f"Session of {datetime.now(UTC):%-d %B %Y}",
            run_id=run.id if run else None, query=query, seed=wanted.seed, limit=wanted.limit,
            check_share=CHECK_SHARE if wanted.checks is None else wanted.checks,
            min_dwell_s=MIN_DWELL_S if wanted.min_dwell is None else wanted.min_dwell,
        )  # fmt: skip
    contents = contents_of(connection, session.id)
    if session not in before and wanted.limit is not None and contents.pictures > wanted.limit:
        console.note(
            f"one sample has {contents.pictures} pictures and is drawn whole: more than --limit {wanted.limit}"
        )
    return session, contents


def told(session: SessionRow, contents: Contents) -> str:
    """What a session consists of, for whoever invites: raters are not told how many checks there are."""
    parts = [
        (contents.pictures, "picture", "pictures"), (contents.sets, "set of trials", "sets of trials"),
        (contents.checks, "check", "checks"),
    ]  # fmt: skip
    of = ", ".join(wording.plural(count, one, many) for count, one, many in parts if count)
    done = f"; {session.done} done" if session.done else ""
    run = f", about {session.run}" if session.run else ""
    return f"{session.name}{run}: {wording.plural(session.items, 'item')}: {of}{done}"


def subject(session: SessionRow) -> str:
    """What a session is about: its run, or which jobs."""
    if session.run is not None:
        return session.run
    query = session.query or {}
    said = [f"{key} {query[key]}" for key in ("campaign", "model") if query.get(key)]
    return " ".join(said) or (wording.plural(len(query["jobs"]), "job") if query.get("jobs") else "")


def _about(run_id: object, query: dict[str, Any] | None) -> object:
    """What makes two sessions be about the same: not how many results of it are taken."""
    return run_id, None if query is None else {key: value for key, value in query.items() if key != "limit"}


def _refuse_other(session: SessionRow, wanted: Wanted) -> None:
    """A session is never changed: whoever asks for another than the one that goes on has to know."""
    from inpaint_core.errors import InvalidRequest

    asked = {
        "--name": (session.name, wanted.name), "--checks": (session.check_share, wanted.checks),
        "--min-dwell": (session.min_dwell_s, wanted.min_dwell), "--seed": (session.seed, wanted.seed),
    }  # fmt: skip
    for option, (there, value) in asked.items():
        if value is not None and there != value:
            raise InvalidRequest(
                f"{session.rater} has an unfinished session about this, whose {option} is {there}, not {value}. "
                f"Leave {option} out to go on with it, or let it be finished first. Nothing was changed.",
                field=option.removeprefix("--"),
            )
