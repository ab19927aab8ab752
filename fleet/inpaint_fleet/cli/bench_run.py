"""`inpaint bench run`, `runs` and `measure`: models beside each other on the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import bench_choices, console, guide_options, options, wording
from inpaint_fleet.cli.outcome import TimedOut

if TYPE_CHECKING:
    from inpaint_db.run_queries import RunRow
    from inpaint_producer import InpaintClient

RunName = Annotated[str, typer.Argument(metavar="RUN", help='Name of a run, or "latest". `inpaint bench runs` lists.')]


def run(
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="NAME[@VERSION]", help="What to compare on.")],
    models: Annotated[
        list[str],
        typer.Option("--models", "-m", metavar="NAMES|all", help="Comma-separated, or all that a worker serves now."),
    ],
    trials: Annotated[
        int | None, typer.Option(min=1, max=100, help="How often each sample is edited. Default: 3, or as --seeds.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Seed of each trial. Default: 1, 2, 3 and so on.")
    ] = None,
    samples: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these samples, comma-separated. Default: all.")
    ] = None,
    parameter: Annotated[
        list[str],
        typer.Option(
            "--parameter", "-p", metavar="[MODEL:]NAME=VALUE",
            help="A parameter, of every model that has it or of one: flux-1-fill-dev:steps=20. Repeatable.",
        ),
    ] = [],  # noqa: B006  (Typer copies it)
    tier: Annotated[
        str | None,
        typer.Option(
            metavar="exact|fast|turbo", autocompletion=guide_options.complete_tier,
            help="What models may leave out for speed. With --models all, those that have no such tier are left out.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the run; again under the same name, it is finished.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why it is made, for whoever reads it later.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, and measure it.")] = True,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Edit every sample of a dataset with every model, with several seeds, and measure the results.

    Trials are jobs like any other, in the same queues. Stopped and started again, the same run goes on with what is
    missing, and what failed is tried again.

    Example: inpaint bench run --dataset furniture-rooms --models all --trials 3
    """
    from inpaint_benchmark.runs.planning import Wanted
    from inpaint_benchmark.runs.starting import begin_run, live_models, resolve_dataset
    from inpaint_core.images import Limits
    from inpaint_core.parsing import parse_tier
    from inpaint_producer import InpaintClient

    from inpaint_fleet.cli.notes import show_warnings_as_notes
    from inpaint_fleet.overview import live_after_s

    show_warnings_as_notes()
    _need_extra()
    with InpaintClient() as client:
        asked = parse_tier(tier)
        chosen = bench_choices.models(
            models, live_models(client.database, live_after_s(client.settings)), client.catalogue, asked
        )
        wanted = Wanted(
            chosen,
            bench_choices.names(samples),
            bench_choices.seeds(seeds, trials),
            bench_choices.parameters(parameter, chosen, client.catalogue),
            note=note,
            tier=asked,
        )
        limits = Limits.of(client.settings)
        version = resolve_dataset(dataset, client.database, client.store, limits, console.progress)
        begun = begin_run(wanted, version, client.catalogue, client.database, name=name)
        if begun.new:
            console.tell(f"run {begun.run.name}: {_size(begun.run)}")
        _tell_references(client, begun.run)
        _carry_out(client, begun.run, wait=wait, timeout=timeout, as_json=as_json, going_on=not begun.new)


def resume(run: RunName, timeout: options.Timeout = None, as_json: options.Json = False) -> None:
    """Go on with a run: submit what is missing, try again what failed, follow it to its end, and measure it."""
    from inpaint_db.run_queries import find_run
    from inpaint_producer import InpaintClient

    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    with InpaintClient() as client:
        with client.database.read() as connection:
            found = find_run(connection, run)
        _carry_out(client, found, wait=True, timeout=timeout, as_json=as_json, going_on=True)


def _carry_out(
    client: InpaintClient, found: RunRow, *, wait: bool, timeout: float | None, as_json: bool, going_on: bool
) -> None:
    from inpaint_benchmark.runs.measuring import measure_run, measure_waiting
    from inpaint_benchmark.runs.running import follow, submit_missing
    from inpaint_benchmark.runs.starting import live_models

    from inpaint_fleet.overview import live_after_s

    if going_on:
        console.tell(f"going on with run {found.name}: {_so_far(found)}")
    try:
        queued = submit_missing(client, found, console.progress, console.note)
        if queued:
            console.tell(f"{wording.plural(queued, 'trial')} queued")
        served = live_models(client.database, live_after_s(client.settings))
        if unserved := [model for model in found.models if model not in served and found.succeeded < found.trials]:
            console.note(f"no worker serves {', '.join(unserved)} now: these trials wait for `inpaint worker MODEL`")
        if not wait:
            _show(found, as_json)
            return
        found = follow(client, found, console.progress, timeout_s=timeout)
        measured = measure_run(found, client.settings, client.database, console.progress)
        waiting = measure_waiting(found, client.settings, client.database, console.progress)
    except TimeoutError as error:
        sentence = str(error)[:1].upper() + str(error)[1:]
        raise TimedOut(
            f"{sentence} The jobs go on; so does the run with `inpaint bench resume {found.name}`."
        ) from None
    except KeyboardInterrupt:
        console.note(f"the jobs go on; so does the run with `inpaint bench resume {found.name}`")
        raise
    if measured:
        console.tell(f"{wording.plural(measured, 'trial')} measured")
    _tell_waiting(waiting)
    _end(client, found, as_json)


def _tell_waiting(measured: dict[str, int]) -> None:
    """Of results in quicker tiers that could now be held against exact ones."""
    for name, count in measured.items():
        console.tell(f"{wording.plural(count, 'trial')} of {name} measured beside these")


def cancel(run: RunName, as_json: options.Json = False) -> None:
    """End all jobs of a run that have not ended: queued ones at once, running ones as soon as their worker hears.

    `inpaint bench resume` would queue them again.
    """
    from inpaint_db.run_queries import find_run, list_trials
    from inpaint_producer import InpaintClient

    with InpaintClient() as client:
        with client.database.read() as connection:
            trials = list_trials(connection, find_run(connection, run).id)
        left = [t.job_id for t in trials if t.job_id is not None and t.status is not None and not t.status.is_final]
        for job_id in left:
            client.cancel(job_id)
    if as_json:
        console.document({"run": run, "canceled": left})
    else:
        console.say(f"{run}: {wording.plural(len(left), 'job')} canceled" if left else f"{run}: all jobs have ended")


def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List benchmark runs, newest first."""
    from inpaint_core.settings import load_settings
    from inpaint_db.run_queries import list_runs
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        found = list_runs(connection, limit)
    if as_json:
        console.document(found)
        return
    if not found:
        console.tell("no runs yet; begin one with `inpaint bench run --dataset furniture-rooms --models all`")
    rows = [
        (
            r.name, f"{r.dataset}@{r.dataset_version}", len(r.models), r.trials, r.succeeded, r.failed or None,
            r.left or None, wording.moment(r.created_at), None if r.tier == "exact" else r.tier,
            "imported" if r.imported else r.note,
        )
        for r in found
    ]  # fmt: skip
    head = ("run", "dataset", "models", "trials", "succeeded", "failed", "left", "begun", "tier", "about")
    console.table(head, rows)


def measure(
    run: RunName,
    again: Annotated[bool, typer.Option("--again", help="Also what was measured before.")] = False,
    as_json: options.Json = False,
) -> None:
    """Measure the results of a run that no measure was made of yet, from what is stored of them."""
    from inpaint_benchmark.runs.measuring import measure_run, measure_waiting
    from inpaint_core.settings import load_settings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    settings = load_settings()
    with Database(settings) as database:
        with database.read() as connection:
            found = find_run(connection, run)
        count = measure_run(found, settings, database, console.progress, again=again)
        waiting = measure_waiting(found, settings, database, console.progress)
    if as_json:
        console.document({"run": found.name, "measured": count, "measured_beside": waiting})
    else:
        _tell_waiting(waiting)
        console.say(
            f"{found.name}: {wording.plural(count, 'trial')} measured" if count else f"{found.name}: all measured"
        )


def _need_extra() -> None:
    """Before anything is written, not after all jobs are done."""
    from importlib.util import find_spec

    from inpaint_core.errors import MissingExtra

    if find_spec("skimage") is None:
        raise MissingExtra(
            "Comparing models needs scikit-image. Install it with: pip install 'inpaint-fleet[benchmark]'"
        )


def _tell_references(client: InpaintClient, found: RunRow) -> None:
    """That some models of a run are shown more than others."""
    from inpaint_db.dataset_queries import list_samples

    with client.database.read() as connection:
        samples = list_samples(connection, found.dataset_version_id)
    if not any("reference" in sample.images for sample in samples):
        return
    shown = [name for name in found.models if client.catalogue.card(name).reference is not None]
    others = [name for name in found.models if name not in shown]
    if shown and others:
        console.note(
            f"the samples have reference images: {', '.join(shown)} see them; {', '.join(others)} cannot, and go by "
            "the prompt alone"
        )


def _size(found: RunRow) -> str:
    samples = found.trials // (len(found.models) * len(found.seeds))
    parts = ((len(found.models), "model"), (samples, "sample"), (len(found.seeds), "seed"))
    tier = "" if found.tier == "exact" else f", tier {found.tier}"
    size = " x ".join(wording.plural(count, what) for count, what in parts)
    return f"{size} = {wording.plural(found.trials, 'trial')}{tier}"


def _so_far(found: RunRow) -> str:
    return f"{found.succeeded:,} of {wording.plural(found.trials, 'trial')} are there"


def _show(found: RunRow, as_json: bool) -> None:
    if as_json:
        console.document(found)
    else:
        console.say(found.name)


def _end(client: InpaintClient, found: RunRow, as_json: bool) -> None:
    from inpaint_benchmark.runs.running import failures
    from inpaint_core.errors import JobFailed

    _show(found, as_json)
    console.tell(f"{_so_far(found)}; see `inpaint bench report {found.name}`")
    if found.failed:
        failures(client, found, console.tell)
        raise JobFailed(
            f"{found.failed:,} of {wording.plural(found.trials, 'trial')} did not succeed. Mend what is named above, "
            "and run it again: only those are repeated."
        )
    if found.left:
        raise JobFailed(
            f"{found.left:,} of {wording.plural(found.trials, 'trial')} could not be queued; what is named above keeps "
            "them back."
        )
