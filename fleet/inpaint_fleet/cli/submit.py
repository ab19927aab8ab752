"""`inpaint submit`: one edit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from inpaint_core.status import Priority

from inpaint_fleet.cli import console, edit_options, guide_options, options, wording


def submit(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The image to edit: a file, or s3://bucket/key.")],
    model: options.Model,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask",
            metavar="IMAGE|alpha",
            help="White is repainted, black is kept; as large as SOURCE. File or s3://. The word alpha: what is "
            "transparent in SOURCE is repainted (a file of that name is ./alpha).",
        ),
    ] = None,
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
    box: edit_options.Boxes = [],  # noqa: B006
    polygon: edit_options.Polygons = [],  # noqa: B006
    polarity: edit_options.Polarity = None,
    threshold: edit_options.Threshold = None,
    resize_mask: edit_options.ResizeMask = False,
    fill_holes: edit_options.FillHoles = False,
    grow: edit_options.Grow = None,
    feather: edit_options.Feather = None,
    fit: edit_options.Fit = None,
    padding: edit_options.Padding = None,
    detail: edit_options.Detail = None,
    output_format: edit_options.Format = None,
    quality: edit_options.Quality = None,
    keep_raw: edit_options.KeepRaw = False,
    reference_image: guide_options.ReferenceImage = None,
    reference_strength: guide_options.ReferenceStrength = None,
    control_image: guide_options.ControlImage = None,
    control_type: guide_options.ControlType = None,
    control_strength: guide_options.ControlStrength = None,
    outputs: guide_options.Outputs = None,
    tier: guide_options.Tier = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the result here, further outputs beside it as FILE-2 and so on. Implies --wait.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Submit one edit: repaint what a mask, boxes or polygons mark in an image.

    Prints the job's id; with --wait, a line that says how it went.

    Example: inpaint submit room.jpg --mask mask.png --model opencv-telea -o edited.png
    """
    from inpaint_producer import InpaintClient

    from inpaint_fleet.batch import fields
    from inpaint_fleet.cli import following
    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    marked = edit_options.mask_of(mask, box, polygon)
    edit = edit_options.given(
        polarity=polarity, threshold=threshold, resize_mask=resize_mask, fill_holes=fill_holes, grow=grow,
        feather=feather, fit=fit, padding=padding, detail=detail, format=output_format, quality=quality,
        keep_raw=keep_raw,
    )  # fmt: skip
    guides = guide_options.given(
        reference_image=reference_image, reference_strength=reference_strength, control_image=control_image,
        control_type=control_type, control_strength=control_strength, outputs=outputs, tier=tier,
    )  # fmt: skip
    with InpaintClient() as client:
        card = client.catalogue.card(model)
        if output is not None:
            following.check_target(output)
        job = client.submit(
            source,
            marked,
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
            edit=edit,
            **guides,
        )
        if not job.created:
            console.note(f"this request was submitted before with the same key; its job is {job.status.value}")
        if not (wait or output):
            if as_json:
                console.document(job)
            else:
                console.say(str(job.id))
                console.tell(f"{job.status.value}; follow it with `inpaint jobs wait {job.id}`")
                waiting = client.get(job.id)
                if (waiting.waiting_for or "").startswith("no worker"):
                    console.note(wording.why_not_done(waiting))
            return
        if console.on_terminal(sys.stderr):
            console.tell(f"job {job.id}")
        view = following.follow(client, job.id, timeout)
        following.tell_warnings(view)
        written: list[str] = []
        if output is not None and view.status == "succeeded":
            written = [str(path) for path in following.fetch_all(client, view, output)]
        if as_json:
            files = {"output_file": written[0] if written else None, "output_files": written}
            console.document({**console.plain(view), "created": job.created, **files})
        else:
            console.say(wording.job_line(view) + (f"  -> {', '.join(written)}" if written else ""))
        following.require_success(view)
