"""`inpaint bench`: measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inpaint_fleet.cli import bench_datasets, bench_gpu, bench_report, bench_run, bench_web, chaos

app = typer.Typer(no_args_is_help=True, help="Compare models on datasets; measure the fleet, and break it on purpose.")
app.command("import")(bench_datasets.import_)
app.command("datasets")(bench_datasets.datasets)
app.command("run")(bench_run.run)
app.command("resume")(bench_run.resume)
app.command("cancel")(bench_run.cancel)
app.command("runs")(bench_run.runs)
app.command("measure")(bench_run.measure)
app.command("report")(bench_report.report)
app.command("import-published")(bench_report.import_published)
app.command("import-results")(bench_report.import_results)
app.command("chaos")(chaos.chaos)
app.command("plain-celery")(chaos.plain_celery)
app.command("soak")(chaos.soak)
app.command("web")(bench_web.web)
app.command("gpu")(bench_gpu.gpu)


@app.command("queue")
def queue(
    quick: Annotated[bool, typer.Option("--quick", help="Small and noisy: only to see that it works.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Measure submitting, a job's overhead, and the device's idle time between two jobs.

    Takes about a minute, on servers of its own that are started in a temporary folder and removed afterwards. The
    machine should have nothing else to do.
    """
    import tempfile

    from inpaint_benchmark.queue.report import measure_queue
    from inpaint_db.migrate import upgrade

    from inpaint_fleet.cli import console
    from inpaint_fleet.local.servers import LocalServers

    # Not the servers that the user has: they would be measured with all else they do, and filled with jobs.
    with tempfile.TemporaryDirectory(prefix="inpaint-bench-") as folder, LocalServers(Path(folder)) as settings:
        upgrade(settings)
        found = measure_queue(settings, console.tell if json_ else console.say, quick=quick)
    if json_:
        console.document(found)


@app.command("history")
def history(
    trials: Annotated[int, typer.Option(min=1, help="So many made-up trials; a tenth takes a tenth of the time.")] = (
        100_000
    ),
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Measure how quickly the views of `bench` answer over years of trials, on a database of its own.

    Filling it takes some minutes and gigabytes; it is removed afterwards.
    """
    import tempfile

    from inpaint_benchmark.history.report import measure_history
    from inpaint_db.migrate import upgrade

    from inpaint_fleet.cli import console
    from inpaint_fleet.local.servers import LocalServers

    with tempfile.TemporaryDirectory(prefix="inpaint-bench-") as folder, LocalServers(Path(folder)) as settings:
        upgrade(settings)
        found = measure_history(settings, console.tell if json_ else console.say, trials)
    if json_:
        console.document(found)


@app.command("geometry")
def geometry(
    quick: Annotated[bool, typer.Option("--quick", help="Small and noisy: only to see that it works.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Measure what the CPU does for a job, beside a naive implementation with Pillow: time by step, memory, encoders.

    Takes about two minutes. No server is needed. The machine should have nothing else to do.
    """
    from importlib import resources

    from inpaint_benchmark.geometry.report import measure_geometry

    from inpaint_fleet.cli import console

    with resources.as_file(resources.files("inpaint_fleet.demo").joinpath("room.jpg")) as picture:
        found = measure_geometry(picture, console.tell if json_ else console.say, quick=quick)
    if json_:
        console.document(found)
