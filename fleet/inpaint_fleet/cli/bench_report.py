"""`inpaint bench report`, `import-published` and `import-results`: what a run has shown, beside what others have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from inpaint_fleet.cli import console, guide_options, options, wording
from inpaint_fleet.cli.bench_run import RunName

#: Where pages go if nobody says.
_FOLDER = Path("out", "bench")


def report(
    run: RunName,
    format_: Annotated[
        str,
        typer.Option("--format", "-f", metavar="md|html|csv|json", help="csv: a row for each trial; json: everything."),
    ] = "md",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: stdout; of html out/bench/RUN.html."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="review", help="Published numbers to show beside those of the run.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write pictures and plots as files; md shows them.")
    ] = None,
) -> None:
    """Report on a run: the review's tables with intervals, and as html pictures, plots and maps in one file.

    Example: inpaint bench report latest --format html --baseline review
    """
    from inpaint_benchmark.report.making import make_report
    from inpaint_core.settings import load_settings
    from inpaint_db.run_queries import find_run
    from inpaint_db.session import Database

    settings = load_settings()
    with Database(settings) as database:
        with database.read() as connection:
            found = find_run(connection, run, with_results=True)
        file = output or (_FOLDER / f"{found.name}.html" if format_ == "html" else None)
        text = make_report(
            found,
            format_,
            settings,
            database,
            console.progress,
            baseline=baseline,
            pictures=pictures,
            document=file,
        )
    if file is None:
        console.say(text.rstrip("\n"))
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    console.say(str(file))


def import_published(
    source: Annotated[str, typer.Argument(metavar="NAME", help="A publication that the package holds: review.")],
    as_json: options.Json = False,
) -> None:
    """Bring published numbers into the database, where SQL can set them beside those of runs.

    `inpaint bench report --baseline NAME` does it by itself.
    """
    from inpaint_benchmark import published
    from inpaint_core.settings import load_settings
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.begin() as connection:
        rows = published.import_published(connection, source)
    if as_json:
        console.document(rows)
        return
    console.table(
        ("model", "card", "GB", "s/image", "$/1k"),
        [(row.model, row.card, row.gpu_memory_gb, row.inference_s, row.cost_per_1k_usd) for row in rows],
    )


def import_results(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Pictures called SAMPLE.png, or SAMPLE-1.png, SAMPLE-2.png by trial."),
    ],
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="NAME[@VERSION]", help="What they were made of.")],
    model: options.Model,
    run: Annotated[str, typer.Option(metavar="NAME", help="What to call the run.")],
    made_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Day on which they were made.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Seconds that an image took.")] = None,
    cost: Annotated[float | None, typer.Option(min=0, metavar="USD", help="US dollars that an image cost.")] = None,
    device: Annotated[str | None, typer.Option(help="What they were made on, e.g. 'NVIDIA A100 40GB'.")] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            metavar="exact|fast|turbo",
            autocompletion=guide_options.complete_tier,
            help="What they were made in, if something was left out for speed.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Bring in pictures that another system made of a dataset, as a run of their own, and measure them like others.

    Each is as large as its source. The same again adds nothing; files that were missing may be added later.

    Example: inpaint bench import-results dall-e/ -d furniture-ten -m dall-e-2 --run dall-e-2 --made-on 2024-11-20
    """
    from inpaint_benchmark.runs.measuring import measure_run
    from inpaint_benchmark.runs.results import Origin
    from inpaint_benchmark.runs.results import import_results as bring_in
    from inpaint_benchmark.runs.starting import resolve_dataset
    from inpaint_core.images import Limits
    from inpaint_core.parsing import parse_tier
    from inpaint_producer import InpaintClient

    with InpaintClient() as client:
        limits = Limits.of(client.settings)
        day = made_on.date() if made_on else None
        origin = Origin(client.catalogue.card(model), day, seconds, cost, device, parse_tier(tier))
        version = resolve_dataset(dataset, client.database, client.store, limits, console.progress)
        found = bring_in(folder, version, run, origin, client.database, client.store, limits, console.progress)
        measured = measure_run(found.run, client.settings, client.database, console.progress)
    if as_json:
        result = {"run": found.run.name, "new": found.new, "already_there": found.there, "missing": found.missing}
        console.document({**result, "measured": measured})
        return
    if found.missing:
        console.note(f"no result of {', '.join(found.missing)}")
    there = f", {found.there:,} there already" if found.there else ""
    console.tell(f"{wording.plural(found.new, 'result')} brought in{there}; {measured:,} measured")
    console.say(found.run.name)
