"""`inpaint bench gpu`: seconds, gigabytes and dollars of every model on the GPU of this machine."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint_fleet.cli import console, options, wording
from inpaint_fleet.cli.outcome import TimedOut

if TYPE_CHECKING:
    from inpaint_benchmark.gpu.journal import Journal
    from inpaint_benchmark.gpu.orders import Order
    from inpaint_benchmark.gpu.rows import Row
    from inpaint_core.catalogue import Catalogue
    from inpaint_core.settings import Settings

_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
_WHATS = ("seconds", "cropping", "throughput")


def gpu(
    models: Annotated[
        list[str], typer.Option("--models", "-m", metavar="all|NAME,...", help="Which models.")
    ] = ["all"],  # noqa: B006  (Typer copies it)
    modes: Annotated[
        list[str],
        typer.Option(
            metavar="MODE ...",
            help="INPAINT_ACCELERATE, perhaps with +TIER: none, auto, compile,fuse-qkv+fast; or candidates: what may "
            "be quicker. Several with spaces.",
        ),
    ] = ["auto"],  # noqa: B006
    what: Annotated[
        list[str], typer.Option(metavar="|".join(_WHATS), help="What is measured. Repeatable.")
    ] = ["seconds"],  # noqa: B006
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the picture that comes in.")] = "1024x1024",
    steps: Annotated[str, typer.Option(metavar="default|N", help="Denoising steps.")] = "default",
    repeats: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Steady images (or jobs) to time. Default: 5, 3 or a minute's.")
    ] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Narrow models, small pictures: to see that it works.")] = False,
    device: Annotated[str, typer.Option(metavar="cuda|cpu", help="cpu: with --tiny or --weights.")] = "cuda",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Rows, report and log. Default: out/bench-gpu.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real weights that lie there as OWNER/REPO, instead of random ones."),
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where random weights are written: up to 60 GB. Default: below /tmp."),
    ] = None,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Leave random weights there when a model is done.")
    ] = False,
    usd_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of an hour of the GPU, for dollars per 1,000 edits.")
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(min=10, metavar="SECONDS", help="Begin nothing that would not end by then (exit code 124)."),
    ] = None,
    begun_at: Annotated[
        float | None, typer.Option(hidden=True, metavar="UNIX", help="When what the time limit is of began, seconds.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what has a row already.")] = False,
    report_only: Annotated[bool, typer.Option("--report-only", help="Measure nothing; write the report anew.")] = False,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Measure the models on this machine's GPU: seconds, memory, and how close they come to what it can do.

    Weights are random and of full size, so nothing is downloaded: time and memory do not depend on them. Each model in
    each mode is a process of its own and a row, kept at once; the same command again goes on with what is missing.

    Example: inpaint bench gpu --models all --modes candidates --usd-per-hour 3.5 --time-limit 520
    """
    from inpaint_benchmark.gpu.journal import Journal
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.errors import OperatorError
    from inpaint_core.settings import load_settings

    folder = out or Path("out", "bench-gpu-tiny" if tiny else "bench-gpu")
    journal = Journal(folder)
    if report_only:
        _need_rows(
            journal, {"--models": models != ["all"], "--modes": modes != ["auto"], "--what": what != ["seconds"]}
        )
        _report(journal, folder, usd_per_hour, [], [], as_json)
        return
    catalogue = load_catalogue(load_settings().catalogue)
    orders = _orders(
        catalogue, models, modes, what, size, steps, repeats=repeats, tiny=tiny, device=device, weights=weights
    )
    _need_packages()
    place, orders = _place(scratch, catalogue, orders, tiny=tiny, random=weights is None)
    found = weights or place / ("tiny" if tiny else "full")
    since = 0.0 if begun_at is None else max(0.0, time.time() - begun_at)
    with journal.held():
        left, too_long = _measure(
            journal, folder, found.absolute(), place, catalogue, orders, time_limit, since, usd_per_hour,
            again=again, keep_weights=keep_weights,
        )  # fmt: skip
        _report(journal, folder, usd_per_hour, orders, left, as_json)
    if left:
        raise TimedOut(
            f"The time limit of {time_limit:g} s leaves {wording.plural(len(left), 'row')} of {len(orders)} for "
            f"another call: {_named(left)}. The same command goes on with them."
        )
    if too_long:
        limit_s = max(row.ended_by_limit_s or 0 for row in too_long)
        raise OperatorError(
            f"{_named([row.order for row in too_long])} {'needs' if len(too_long) == 1 else 'need'} more than "
            f"{limit_s:g} s: raise --time-limit."
        )


def _place(
    scratch: Path | None, catalogue: Catalogue, orders: list[Order], *, tiny: bool, random: bool
) -> tuple[Path, list[Order]]:
    """Where weights and compiled code lie meanwhile, and the orders whose weights have room there."""
    from inpaint_benchmark.gpu.scratch import default_scratch, leave_out_too_large, prepare

    place = (scratch or default_scratch()).absolute()
    if random and not tiny:
        cards = [catalogue.card(name) for name in dict.fromkeys(order.model for order in orders)]
        fitting, left_out = leave_out_too_large(cards, place / "full")
        for sentence in left_out:
            console.note(sentence)
        names = [card.name for card in fitting]
        orders = [order for order in orders if order.model in names]
        console.note(f"random weights are written to {place}, and removed when their model is done")
    prepare(place, own=scratch is None)
    return place, orders


def _measure(
    journal: Journal,
    folder: Path,
    weights: Path,
    scratch: Path,
    catalogue: Catalogue,
    orders: Sequence[Order],
    time_limit: float | None,
    since_s: float,
    usd_per_hour: float | None,
    *,
    again: bool,
    keep_weights: bool,
) -> tuple[list[Order], list[Row]]:
    """What is left for another call, and rows that a whole call does not suffice for."""
    from inpaint_benchmark.gpu.running import Run
    from inpaint_benchmark.gpu.scratch import clear

    with console.live_line() as line:

        def kept(row: Row) -> None:
            _write(journal, folder, usd_per_hour, orders, [])
            console.tell(_line(row))

        run = Run(
            journal, folder.absolute(), weights, scratch, catalogue, _servers, line, kept, time_limit,
            keep_weights=keep_weights, noted=console.note, began=time.monotonic() - since_s,
        )  # fmt: skip
        try:
            left = run.carry_out(orders, again=again)
            clear(scratch)
            return left, run.too_long
        except KeyboardInterrupt:
            console.note(f"rows so far are in {journal.path}; the same command goes on with what is missing")
            raise


def _need_rows(journal: Journal, named: dict[str, bool]) -> None:
    """For a report alone: there are rows, and no option asks for others."""
    from inpaint_core.errors import InvalidRequest

    if given := [option for option, is_given in named.items() if is_given]:
        raise InvalidRequest(
            f"--report-only tells of all rows that are there: leave out {', '.join(given)}.", field="report_only"
        )
    if not journal.rows:
        raise InvalidRequest(
            f"There are no rows in {journal.path}. Name the folder of --out that they were measured into.", field="out"
        )


def _report(
    journal: Journal,
    folder: Path,
    usd_per_hour: float | None,
    orders: Sequence[Order],
    left: Sequence[Order],
    as_json: bool,
) -> None:
    document = _write(journal, folder, usd_per_hour, orders, left)
    if as_json:
        console.document(document)
    else:
        console.say(str(folder / "report.md"))


def _write(
    journal: Journal, folder: Path, usd_per_hour: float | None, orders: Sequence[Order], left: Sequence[Order]
) -> dict[str, Any]:
    from inpaint_benchmark.gpu.markdown import markdown
    from inpaint_benchmark.gpu.report import make_report, write_files

    folder.mkdir(parents=True, exist_ok=True)
    left_words = [f"{o.model}, {o.mode}, {o.what}" for o in left]
    report = make_report(journal.newest(), usd_per_hour, left_words, asked=orders)
    write_files(report, folder, markdown(report))
    return report.model_dump(mode="json")


def _orders(
    catalogue: Catalogue,
    models: Sequence[str],
    modes: Sequence[str],
    what: Sequence[str],
    size: str,
    steps: str,
    *,
    repeats: int | None,
    tiny: bool,
    device: str,
    weights: Path | None,
) -> list[Order]:
    """Everything that is asked for, checked before anything is begun."""
    from inpaint_benchmark.gpu.cards import choose_cards
    from inpaint_benchmark.gpu.modes import parse_modes
    from inpaint_benchmark.gpu.orders import make_orders
    from inpaint_core.errors import InvalidRequest

    if device not in ("cuda", "cpu"):
        raise InvalidRequest(f"--device is {device!r}; it must be cuda or cpu.", field="device")
    if device == "cpu" and not tiny and weights is None:
        raise InvalidRequest(
            "Models of full size would take a CPU hours. With --device cpu add --tiny, to see that it works.",
            field="device",
        )
    if tiny and weights is not None:
        raise InvalidRequest("--tiny has weights of its own: leave out --weights, or --tiny.", field="weights")
    if weights is not None and not weights.is_dir():
        raise InvalidRequest(f"There is no folder {weights}. Name one that holds weights as OWNER/REPO.")
    if unknown := [each for each in what if each not in _WHATS]:
        raise InvalidRequest(f"--what is {unknown[0]!r}; it must be one of {', '.join(_WHATS)}.", field="what")
    sides = _SIZE.fullmatch(size.strip().lower())
    if sides is None:
        raise InvalidRequest(f"--size is {size!r}; it must be WIDTHxHEIGHT in pixels, as 1024x1024.", field="size")
    if steps != "default" and not steps.isdecimal():
        raise InvalidRequest(f"--steps is {steps!r}; it must be default or a number, as 20.", field="steps")
    width, height = int(sides[1]), int(sides[2])
    if min(width, height) < 64 or max(width, height) > 16_384:
        raise InvalidRequest(f"--size is {size}; each side must have from 64 to 16384 pixels.", field="size")
    names = [name for text in models for part in text.split(",") if (name := part.strip())]
    orders, left_out = make_orders(
        choose_cards(names, catalogue),
        parse_modes(modes),
        what,  # type: ignore[arg-type]  # checked above
        (width, height),
        steps=None if steps == "default" else int(steps),
        repeats=repeats,
        tiny=tiny,
        device=device,  # type: ignore[arg-type]
        weights="random" if weights is None else "real",
    )
    for sentence in left_out:
        console.note(sentence)
    return orders


def _need_packages() -> None:
    from importlib.util import find_spec

    from inpaint_core.errors import MissingExtra

    if missing := [name for name in ("torch", "diffusers", "transformers", "numpy", "cv2") if find_spec(name) is None]:
        raise MissingExtra(
            f"Measuring models needs {', '.join(missing)}. Install it with: pip install 'inpaint-fleet[diffusers]'"
        )


@contextlib.contextmanager
def _servers() -> Iterator[Settings]:
    """Redis, Postgres and S3 of their own, migrated, in a folder that is removed afterwards."""
    from inpaint_db.migrate import upgrade

    from inpaint_fleet.local.servers import LocalServers

    with tempfile.TemporaryDirectory(prefix="inpaint-bench-") as folder, LocalServers(Path(folder)) as settings:
        upgrade(settings)
        yield settings


def _line(row: Row) -> str:
    """A row for who watches."""
    from inpaint_benchmark.gpu.rows import Cropping, Seconds, Throughput

    name = f"{row.order.model}, {row.order.mode}"
    if row.failed is not None:
        return f"{name}, {row.order.what}: not measured. {console.clean(row.failed)}"
    match row.measured:
        case Seconds(image_s=image, peak_allocated_gb=peak) if image is not None:
            memory = "" if peak is None else f", {peak:.1f} GB"
            return f"{name}: {wording.seconds(image.median)} an image{memory}"
        case Cropping(cases=cases) if cases:
            return f"{name}: " + ", ".join(f"{case.name} {wording.seconds(case.image_s.median)}" for case in cases)
        case Throughput(share=share, jobs_per_hour=jobs) if share is not None and jobs is not None:
            return f"{name}: {jobs:,.0f} jobs an hour, {share:.1%} of the pipeline alone"
    return name


def _named(left: Sequence[Order]) -> str:
    names = [f"{order.model} {order.mode} {order.what}" for order in left[:3]]
    return ", ".join(names) + (" and others" if len(left) > len(names) else "")
