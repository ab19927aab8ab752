"""`inpaint submit`: one edit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from inpaint_core.status import Priority

from inpaint_fleet.cli import console, options, wording


def submit(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The image to edit: a file, or s3://bucket/key.")],
    mask: Annotated[
        str,
        typer.Option(
            "--mask", metavar="IMAGE", help="White is repainted, black is kept; as large as SOURCE. File or s3://."
        ),
    ],
    model: options.Model,
    prompt: options.Prompt = "",
    negative_prompt: options.NegativePrompt = "",
    seed: options.Seed = None,
    parameter: options.Parameters = [],  # noqa: B006  (Typer copies it)
    campaign: options.Campaign = None,
    tag: options.Tags = [],  # noqa: B006
    priority: Annotated[Priority, typer.Option(help="How it stands against jobs that wait in the same queue.")] = (
        Priority.NORMAL
    ),
    deadline: options.Deadline = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting again with this key returns the first job instead of a second.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the job, with progress on stderr.")] = False,
    timeout: options.Timeout = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result here. Implies --wait.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Submit one edit: repaint what the mask marks in an image.

    Prints the job's id; with --wait, a line that says how it went.

    Example: inpaint submit room.jpg --mask mask.png --model opencv-telea -o edited.png
    """
    from inpaint_producer import InpaintClient

    from inpaint_fleet.batch import fields
    from inpaint_fleet.cli import following
    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    with InpaintClient() as client:
        card = client.catalogue.card(model)
        if output is not None:
            following.check_target(output)
        job = client.submit(
            source,
            mask,
            model=model,
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            parameters=fields.parameters(parameter, card),
            campaign=campaign,
            tags=fields.tags(tag),
            priority=priority,
            deadline=fields.deadline(deadline) if deadline else None,
            idempotency_key=idempotency_key,
        )
        if not job.created:
            console.note(f"this request was submitted before with the same key; its job is {job.status.value}")
        if not (wait or output):
            if as_json:
                console.document(job)
            else:
                console.say(str(job.id))
                console.tell(f"{job.status.value}; follow it with `inpaint jobs wait {job.id}`")
            return
        if console.on_terminal(sys.stderr):
            console.tell(f"job {job.id}")
        view = following.follow(client, job.id, timeout)
        written = None
        if output is not None and view.status == "succeeded":
            written = following.fetch(client, view, output)
        if as_json:
            console.document(
                {**console.plain(view), "created": job.created, "output_file": str(written) if written else None}
            )
        else:
            console.say(wording.job_line(view) + (f"  -> {written}" if written else ""))
        following.require_success(view)
