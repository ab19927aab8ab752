"""`inpaint status`: how the fleet stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, options, wording

if TYPE_CHECKING:
    from inpaint_fleet.overview import Overview

_CLEAR = "\x1b[2J\x1b[H"


def status(
    jobs: Annotated[int, typer.Option(min=0, max=1000, help="How many of the newest jobs to show.")] = 5,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, metavar="SECONDS", help="Pause of --watch.")] = 2,
    as_json: options.Json = False,
) -> None:
    """Show queues with their depth and oldest job, workers, newest jobs, the local stack, and free disk."""
    import sys
    import time

    from inpaint_core.errors import InvalidRequest
    from inpaint_core.settings import load_settings

    from inpaint_fleet.overview import look

    if watch and as_json:
        raise InvalidRequest("--watch is for people and --json for programs: choose one.")
    while True:
        overview = look(load_settings(), jobs=jobs)
        if as_json:
            console.document(_json(overview))
        else:
            if watch and console.on_terminal():
                console.say(_CLEAR)
            _show(overview)
        if not watch:
            break
        sys.stdout.flush()
        time.sleep(every)
    if overview.problems:
        if as_json:
            raise typer.Exit(overview.problems[0].exit_code)
        for problem in overview.problems[:-1]:
            console.fail(problem.message)
        raise overview.problems[-1]


def _json(overview: Overview) -> dict[str, object]:
    return {
        "stack": overview.stack,
        "queues": overview.queues,
        "workers": overview.workers,
        "jobs": overview.jobs,
        "disk": overview.disk,
        "problems": [{"code": error.code, "message": error.message} for error in overview.problems],
    }


def _show(overview: Overview) -> None:
    _show_stack(overview)
    if overview.queues is not None:
        _heading("queues")
        rows = [
            (
                queue.model, queue.messages, queue.queued, queue.running, wording.seconds(queue.oldest_queued_s),
                f"{queue.workers_ready} ready" + (f", {queue.workers_loading} loading" * bool(queue.workers_loading)),
                f"{queue.succeeded_last_hour} succeeded, {queue.failed_last_hour} failed",
            )
            for queue in overview.queues
        ]  # fmt: skip
        console.table(("model", "in redis", "queued", "running", "oldest", "workers", "last hour"), rows)
    if overview.workers is not None:
        _heading("workers")
        lines = [
            (
                worker.model, worker.state if worker.live else f"silent for {wording.seconds(worker.seen_s_ago)}",
                f"{worker.host}:{worker.pid}", worker.device_name, wording.seconds(worker.up_s), worker.running,
            )
            for worker in overview.workers
        ]  # fmt: skip
        console.table(("model", "state", "process", "device", "up", "running"), lines)
    if overview.jobs:
        _heading("newest jobs")
        listed = [
            (
                job.id, job.status.value, wording.model(job), wording.moment(job.submitted_at),
                wording.seconds(job.total_s),
                "" if job.status == "succeeded" else wording.why_not_done(job),
            )
            for job in overview.jobs
        ]  # fmt: skip
        console.table(("id", "status", "model", "submitted", "took", "about"), listed)
    _heading("disk")
    disk = overview.disk
    console.say(f"{disk.path}: {wording.size(disk.free_bytes)} free of {wording.size(disk.total_bytes)}")


def _show_stack(overview: Overview) -> None:
    stack = overview.stack
    if not stack.running:
        if stack.children:
            console.note("the local stack was killed; the next `inpaint up` cleans up after it")
        return
    console.say(f"local stack: {'ready' if stack.ready else 'starting'}, process {stack.supervisor_pid}")
    rows = [
        (child.name, child.pid, "running" if child.alive else "down", child.restarts, wording.moment(child.started_at))
        for child in stack.children
    ]
    console.table(("child", "pid", "state", "restarts", "started"), rows)
    if "Web" in stack.addresses:
        console.say(f"web pages: {stack.addresses['Web']}; operators: `inpaint web --link`")


def _heading(text: str) -> None:
    console.say()
    console.say(f"{text}:")
