"""`inpaint submit-batch`: many edits, from files or folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from inpaint_core.status import Priority

from inpaint_fleet.cli import console, edit_options, guide_options, options, wording

if TYPE_CHECKING:
    from inpaint_db.queries import JobView
    from inpaint_db.submissions import Submitted

    from inpaint_fleet.batch.rows import Row
    from inpaint_fleet.batch.run import Summary

#: More mistakes than this on a screen help nobody; --json has them all.
_SHOWN = 50


def submit_batch(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="A CSV or JSONL file of jobs, a JSON manifest of samples, or a folder of pictures (with --masks).",
        ),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            autocompletion=options.complete_model,
            help="Model of rows that name none. Repeatable: such rows are then submitted once for each.",
        ),
    ] = [],  # noqa: B006  (Typer copies it)
    masks: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Masks of a folder of pictures, paired by file name.")
    ] = None,
    prompt: options.Prompt = "",
    negative_prompt: options.NegativePrompt = "",
    seed: options.Seed = None,
    parameter: options.Parameters = [],  # noqa: B006
    campaign: options.Campaign = None,
    tag: options.Tags = [],  # noqa: B006
    priority: Annotated[
        Priority, typer.Option(help="How they stand against jobs in the same queue.")
    ] = Priority.NORMAL,
    deadline: options.Deadline = None,
    resume_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Run the same batch with the same key again, and only what is new is submitted."
        ),
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Submit the good rows even if others are wrong.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for all jobs, and add up how they went.")] = False,
    timeout: options.Timeout = None,
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
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            "-o",
            metavar="FOLDER",
            help="Write results here as they come, named after their source or id. Implies --wait.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Submit many edits at once.

    Columns are source, mask, model, prompt, negative_prompt, seed, campaign, priority, deadline, idempotency_key, id,
    reference_image, reference_strength, control_image, control_type, control_strength, outputs, tier, param.NAME,
    edit.NAME and tag.NAME; paths are relative to the file. Options give what rows leave out. All rows are
    checked first, and nothing is submitted if one is wrong.

    Example: inpaint submit-batch jobs.csv --model opencv-telea --output-dir edited
    """  # fmt: skip
    from inpaint_core.errors import InvalidRequest, JobFailed
    from inpaint_producer import InpaintClient

    from inpaint_fleet.batch import fields, resume, run
    from inpaint_fleet.batch.rows import Defaults, read_rows
    from inpaint_fleet.cli.following import make_folder, waiting_for
    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    with InpaintClient() as client:
        for name in model:
            client.catalogue.card(name)
        defaults = Defaults(
            models=model,
            prompt=prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            parameters=parameter,
            campaign=campaign,
            tags=fields.tags(tag),
            priority=priority,
            deadline=fields.deadline(deadline) if deadline else None,
            edit=edit_options.given(
                polarity=polarity,
                threshold=threshold,
                resize_mask=resize_mask,
                fill_holes=fill_holes,
                grow=grow,
                feather=feather,
                fit=fit,
                padding=padding,
                detail=detail,
                format=output_format,
                quality=quality,
                keep_raw=keep_raw,
            ),
            guides=guide_options.given(
                reference_image=reference_image,
                reference_strength=reference_strength,
                control_image=control_image,
                control_type=control_type,
                control_strength=control_strength,
                outputs=outputs,
                tier=tier,
            ),
        )
        rows = read_rows(paths, defaults, client.catalogue, masks)
        if not rows:
            raise InvalidRequest(f"{', '.join(map(str, paths))}: there are no rows in it.")
        with console.progress("checking", len(rows)) as advance:
            rows = run.check_rows(client, rows, advance)
        _tell_mistakes(rows, skip_invalid, as_json)
        if resume_key is not None:
            rows = resume.with_keys(rows, resume_key)
        if output_dir is not None:
            make_folder(output_dir)
        good = sum(row.spec is not None for row in rows)
        with console.progress("submitting", good) as advance:
            queued = run.submit_rows(client, rows, advance)
        views: dict[UUID, JobView] = {}
        files: dict[int, list[Path]] = {}
        if wait or output_dir is not None:
            ids = [job.id for _, job in queued]
            with waiting_for(ids), console.progress("finished", len(queued)) as advance:
                views, files = run.follow_rows(client, queued, advance, timeout_s=timeout, folder=output_dir)
    summary = run.summarise(rows, queued, views)
    if as_json:
        console.document(_report(rows, queued, views, files, summary))
    else:
        _show(queued, views, files)
        _tell_summary(summary, output_dir, waited=bool(views))
    if summary.failed:
        raise JobFailed(
            f"{sum(summary.failed.values()):,} of {len(views):,} jobs did not succeed. "
            "See why with `inpaint jobs list --status failed`; queue them again with `inpaint jobs retry`."
        )


def _tell_mistakes(rows: Sequence[Row], skip_invalid: bool, as_json: bool) -> None:
    from inpaint_core.errors import InvalidRequest

    wrong = [row for row in rows if row.problem is not None]
    if not wrong:
        return
    # A row for several models is wrong for each of them in the same way.
    sentences = list(dict.fromkeys(f"{row.place}: {row.problem}" for row in wrong))
    for sentence in sentences[:_SHOWN]:
        console.tell(sentence)
    if len(sentences) > _SHOWN:
        console.tell(f"... and {len(sentences) - _SHOWN:,} more")
    count = f"{len(wrong):,} of {wording.plural(len(rows), 'row')} cannot be submitted"
    if skip_invalid and len(wrong) < len(rows):
        console.note(count + "; the others are")
        return
    if as_json:
        console.document({"jobs": [], "invalid": [_mistake(row) for row in wrong], "summary": None})
    hint = "" if len(wrong) == len(rows) else ", or submit the others with --skip-invalid"
    raise InvalidRequest(f"{count}, so nothing was submitted. Mend what is named above{hint}.")


def _mistake(row: Row) -> dict[str, object]:
    return {"row": row.number, "place": row.place, "name": row.name, "model": row.model, "error": row.problem}


def _report(
    rows: Sequence[Row],
    queued: Sequence[tuple[Row, Submitted]],
    views: dict[UUID, JobView],
    files: dict[int, list[Path]],
    summary: Summary,
) -> dict[str, object]:
    return {
        "jobs": [
            {
                "row": row.number,
                "place": row.place,
                "name": row.name,
                "id": job.id,
                "created": job.created,
                "model": job.model,
                "status": views[job.id].status if job.id in views else job.status,
                "output_file": next(iter(files.get(row.number, ())), None),
                "output_files": files.get(row.number, []),
                "job": views.get(job.id),
            }
            for row, job in queued
        ],
        "invalid": [_mistake(row) for row in rows if row.problem is not None],
        "summary": summary,
    }


def _show(queued: Sequence[tuple[Row, Submitted]], views: dict[UUID, JobView], files: dict[int, list[Path]]) -> None:
    if not views:
        for row, job in queued:
            console.say(f"{job.id}\t{job.model}\t{console.clean(row.name)}")
        return
    lines = []
    for row, job in queued:
        view = views[job.id]
        written = ", ".join(map(str, files.get(row.number, ())))
        about = written or (view.output_uri if view.status == "succeeded" else wording.why_not_done(view))
        took, cost = wording.seconds(view.total_s), wording.usd(view.cost_usd)
        lines.append((job.id, row.name, job.model, view.status.value, took, cost, about))
    console.table(("id", "name", "model", "status", "took", "cost", "result"), lines)


def _tell_summary(summary: Summary, folder: Path | None, *, waited: bool) -> None:
    parts = [f"{summary.submitted:,} submitted"]
    if summary.repeated:
        parts.append(f"{summary.repeated:,} there already")
    if summary.invalid:
        parts.append(f"{summary.invalid:,} refused")
    if waited:
        parts.append(f"{summary.succeeded:,} succeeded")
        parts += [f"{count:,} {code}" for code, count in sorted(summary.failed.items())]
        if summary.total_s is not None:
            parts.append(f"slowest job {wording.seconds(summary.total_s)}")
        if summary.inference_s is not None:
            parts.append(f"{wording.seconds(summary.inference_s)} on devices")
        if summary.cost_usd is not None:
            parts.append(f"cost {wording.usd(summary.cost_usd)}")
        if summary.cost_unknown:
            parts.append(f"cost unknown for {wording.plural(summary.cost_unknown, 'job')}")
    console.tell(", ".join(parts) + (f"; results in {folder}" if folder else ""))
