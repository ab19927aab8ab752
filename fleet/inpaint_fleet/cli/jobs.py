"""`inpaint jobs`: look at jobs, wait for them, end them, queue them again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from inpaint_core.status import JobStatus

from inpaint_fleet.cli import console, edit_wording, options, wording

if TYPE_CHECKING:
    from inpaint_db.queries import JobFilter, JobView
    from inpaint_producer import InpaintClient

app = typer.Typer(no_args_is_help=True, help="Look at jobs, wait for them, end them, queue them again.")

Id = Annotated[str, typer.Argument(metavar="ID", help="A job's id, as `inpaint submit` printed it.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of jobs.")]
Statuses = Annotated[
    list[JobStatus],
    typer.Option(
        "--status",
        "-s",
        metavar="STATUS",
        help="Only queued, running, succeeded, failed, canceled or expired jobs. Repeatable.",
    ),
]
ErrorCode = Annotated[str | None, typer.Option("--error", metavar="CODE", help="Only jobs with this error code.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only jobs submitted in the last 30m, 2h or 7d, or since an ISO 8601 time."),
]

#: A retry by filter takes at most so many at once: the transaction stays short.
_MANY = 10_000


@app.command("list")
def list_(
    status: Statuses = [],  # noqa: B006  (Typer copies it)
    model: options.ModelFilter = None,
    campaign: options.CampaignFilter = None,
    error: ErrorCode = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List jobs, newest first."""
    with _client() as client:
        jobs = client.list_jobs(_filter(status, model, campaign, error, since), limit=limit)
    if as_json:
        console.document(jobs)
        return
    if not jobs:
        console.tell("no jobs match")
    rows = [
        (
            job.id, job.status.value, wording.model(job), wording.moment(job.submitted_at),
            wording.seconds(job.total_s), wording.usd(job.cost_usd), job.campaign,
            "" if job.status is JobStatus.SUCCEEDED else wording.why_not_done(job),
        )
        for job in jobs
    ]  # fmt: skip
    columns = ("id", "status", "model", "submitted", "took", "cost", "campaign", "about")
    console.table(columns, rows)


@app.command("get")
def get(job_id: Id, as_json: options.Json = False) -> None:
    """Show everything about one job: status, seconds by phase, cost, error, mask, geometry, and its output."""
    with _client() as client:
        job = client.get(job_id)
    if as_json:
        console.document(job)
        return
    facts: list[tuple[str, object]] = [
        ("id", job.id), ("status", job.status.value),
        ("about", wording.why_not_done(job) if job.status is not JobStatus.SUCCEEDED else None),
        ("cancel requested", "yes" if job.cancel_requested and not job.status.is_final else None),
        ("model", job.model), ("tier", job.tier), ("prompt", job.prompt or None), ("seed", job.seed),
        ("parameters", ", ".join(f"{k}={v}" for k, v in job.parameters.items()) or None),
        ("campaign", job.campaign), ("tags", ", ".join(f"{k}={v}" for k, v in job.tags.items()) or None),
        ("priority", job.priority), ("deadline", wording.moment(job.deadline) or None),
        ("submitted", wording.moment(job.submitted_at)), ("started", wording.moment(job.started_at) or None),
        ("finished", wording.moment(job.finished_at) or None),
        ("attempts", f"{job.attempt} ({job.failures} failed of at most {job.max_attempts})"),
        ("took", wording.seconds(job.total_s) or None), ("seconds", wording.phases(job) or None),
        ("peak memory", wording.size(job.peak_memory_bytes) or None),
        ("cost", wording.cost(job).removeprefix("cost ")),
        ("source", job.source_uri), ("normalised", edit_wording.normalised(job)), ("mask", edit_wording.mask(job)),
        ("reference", edit_wording.reference(job)), ("control", edit_wording.control(job)),
        ("outputs", job.outputs if job.outputs > 1 else None), ("edit", edit_wording.edit(job)),
        ("edit region", edit_wording.region(job)), ("windows", edit_wording.windows(job)),
        ("output", _output(job)), ("kept", edit_wording.exactness(job)),
        ("painted", edit_wording.painted(job)), ("model's own drift", edit_wording.drift(job)),
        *(("warning", sentence) for sentence in job.warnings or ()),
    ]  # fmt: skip
    console.pairs([(name, value) for name, value in facts if value is not None])


@app.command("wait")
def wait(ids: Ids, timeout: options.Timeout = None, as_json: options.Json = False) -> None:
    """Wait until jobs have ended, however they did. Exit code 5 if one did not succeed."""
    from inpaint_core.errors import JobFailed
    from inpaint_core.job import parse_job_id

    from inpaint_fleet.cli import following

    with _client() as client:
        wanted = list(dict.fromkeys(parse_job_id(text) for text in ids))
        if len(wanted) == 1:
            views = [following.follow(client, wanted[0], timeout)]
        else:
            with following.waiting_for(wanted), console.progress("waiting", len(wanted)) as advance:
                for _ in client.as_ended(wanted, timeout_s=timeout):
                    advance(1)
            views = client.wait_many(wanted)
    if as_json:
        console.document(views)
    else:
        for view in views:
            console.say(wording.job_line(view))
    if len(views) == 1:
        following.require_success(views[0])
    ended = [view for view in views if view.status is not JobStatus.SUCCEEDED]
    for view in ended[:10]:
        console.tell(f"{view.id} {wording.why_not_done(view)}")
    if ended:
        raise JobFailed(f"{len(ended)} of {len(views)} jobs did not succeed.")


@app.command("cancel")
def cancel(ids: Ids, as_json: options.Json = False) -> None:
    """End jobs: queued ones at once, running ones as soon as their worker hears of it."""
    with _client() as client:
        answers = [(job_id, client.cancel(job_id)) for job_id in ids]
    if as_json:
        console.document([{"id": job_id, "status": status.value} for job_id, status in answers])
        return
    for job_id, status in answers:
        said = {
            JobStatus.CANCELED: "canceled",
            JobStatus.RUNNING: "running; its worker has been asked to stop it",
        }.get(status, f"{status.value} already")
        console.say(f"{job_id}\t{said}")


@app.command("retry")
def retry(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of jobs; or choose them by the options.")] = [],  # noqa: B006
    status: Statuses = [],  # noqa: B006
    model: options.ModelFilter = None,
    campaign: options.CampaignFilter = None,
    error: ErrorCode = None,
    since: Since = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before retrying by filter.")] = False,
    as_json: options.Json = False,
) -> None:
    """Queue failed, canceled or expired jobs again, with fresh attempts. By id, or by filter (default: failed ones)."""
    from inpaint_core.errors import InvalidRequest

    by_filter = bool(status or model or campaign or error or since)
    if bool(ids) == by_filter:
        raise InvalidRequest("Name jobs by id, or choose them with --status, --model, --campaign, --error or --since.")
    with _client() as client:
        wanted = ids
        if by_filter:
            where = _filter(status or [JobStatus.FAILED], model, campaign, error, since)
            wanted = [str(job.id) for job in client.list_jobs(where, limit=_MANY)]
            if wanted and not yes and not console.confirm(f"Queue {wording.plural(len(wanted), 'job')} again?"):
                raise InvalidRequest(f"{wording.plural(len(wanted), 'job')} would be queued again; confirm with --yes.")
        again = client.retry(wanted)
        left = {} if by_filter else {text: client.get(text) for text in wanted if _uuid(text) not in again}
    if as_json:
        console.document({"retried": again, "not_retried": {text: view.status for text, view in left.items()}})
    else:
        for job_id in again:
            console.say(str(job_id))
        console.tell(f"{wording.plural(len(again), 'job')} queued again")
    for text, view in left.items():
        why = "has no inputs to repeat" if view.source_uri is None else f"is {view.status.value}"
        console.note(f"{text} {why}, and was left alone")


@app.command("download")
def download(
    job_id: Id,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A file, or a folder for ID.png.")],
    kind: Annotated[
        str,
        typer.Option(
            metavar="result|region|raw",
            help="The result, the mask of what the job might change, or what the model returned (with --keep-raw; of "
            "further windows: raw-2, raw-3 ...).",
        ),
    ] = "result",
    number: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only output N of several. Default: all; the second as FILE-2."),
    ] = None,
) -> None:
    """Write the outputs of a job that succeeded to files. A file in their place is replaced once the new one is whole.

    They are written as they are stored, or converted if the name of the file ends otherwise: .png, .jpg, .webp, .avif.
    """
    from inpaint_fleet.cli import following

    with _client() as client:
        view = client.get(job_id)
        following.check_target(output)
        if view.status.is_final:
            following.require_success(view)
        if number is None:
            written = following.fetch_all(client, view, output, kind)
        else:
            written = [following.fetch(client, view, output, kind, number)]
        for path in written:
            console.say(str(path))


def _output(job: JobView) -> str | None:
    """Where the first lies, and that there are more."""
    more = f" and {job.outputs - 1} more: `inpaint jobs download` writes all" if job.outputs > 1 else ""
    return None if job.output_uri is None else f"{job.output_uri}{more}"


def _client() -> InpaintClient:
    from inpaint_producer import InpaintClient

    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    return InpaintClient()


def _uuid(text: str) -> object:
    from inpaint_core.job import parse_job_id

    return parse_job_id(text)


def _filter(
    status: list[JobStatus], model: str | None, campaign: str | None, error: str | None, since: str | None
) -> JobFilter:
    from inpaint_db.queries import JobFilter

    return JobFilter(
        statuses=status, model=model, campaign=campaign, error_code=error, since=_since(since) if since else None
    )


def _since(text: str) -> datetime:
    from inpaint_core.errors import InvalidRequest

    from inpaint_fleet.batch.fields import span_s

    try:
        return datetime.now(UTC) - timedelta(seconds=span_s(text))
    except InvalidRequest:
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"--since {text!r} must be 30m, 2h, 7d, or a time in ISO 8601.") from None
