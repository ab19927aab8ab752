"""`inpaint bench import` and `datasets`: what models are compared on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint_fleet.cli import console, options, wording

if TYPE_CHECKING:
    from inpaint_benchmark.datasets import Description


def _complete_kind(incomplete: str) -> list[str]:
    from inpaint_benchmark.datasets import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A manifest, or the folder or file of a dataset.")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="manifest (default), folders, editbench, brushbench, pie-bench, inpaintcoco or alpha.",
            autocompletion=_complete_kind,
        ),
    ] = None,
    polarity: Annotated[
        str | None,
        typer.Option(metavar="white|black|transparent", help="Which pixels of its masks are repainted."),
    ] = None,
    option: Annotated[
        list[str],
        typer.Option("--option", "-O", metavar="NAME=VALUE", help="An option of the kind, e.g. base=0. Repeatable."),
    ] = [],  # noqa: B006  (Typer copies it)
    name: Annotated[str | None, typer.Option(help="What to call the dataset. Default: its own name.")] = None,
    version: Annotated[
        str | None, typer.Option(help="What to call this version. Default: its own, or the next number.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, if it does not say.")] = None,
    skip_unusable: Annotated[
        bool, typer.Option("--skip-unusable", help="Bring in the others if samples cannot be used.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read, check and show it.")] = False,
    as_json: options.Json = False,
) -> None:
    """Bring a dataset into the fleet: samples with sources and masks, and perhaps pictures as they should be.

    Every sample is read and checked first, and the share of it that its mask marks is shown. The same content again is
    the version that is there.

    Example: inpaint bench import samples.json
    """
    from inpaint_benchmark.datasets import describing, read_dataset
    from inpaint_benchmark.runs.importing import import_dataset
    from inpaint_core.errors import InvalidRequest
    from inpaint_core.images import Limits
    from inpaint_core.settings import load_settings
    from inpaint_producer import InpaintClient

    from inpaint_fleet.batch import fields

    given: dict[str, Any] = dict(fields.split_assignment(text, "option") for text in option)
    if polarity is not None:
        given["polarity"] = polarity
    limits = Limits.of(load_settings())
    dataset = read_dataset(path, kind, name=name, version=version, licence=licence, limits=limits, **given)
    found: list[Description] = []
    with console.progress("checking", len(dataset.samples)) as advance:
        for description in describing(dataset):
            found.append(description)
            advance(1)
    if not as_json:
        for description in found:
            console.tell(description.line)
    unusable = [description for description in found if description.problem]
    if unusable and not skip_unusable:
        raise InvalidRequest(
            f"{len(unusable):,} of {wording.plural(len(found), 'sample')} cannot be used, so nothing was brought in. "
            "Mend what is named above, or bring in the others with --skip-unusable."
            + (f" The first: {unusable[0].problem}" if as_json else ""),
        )
    if unusable:
        dataset = dataset.without({description.id for description in unusable})
    if dry_run:
        console.tell(f"{wording.plural(len(dataset.samples), 'sample')} would be brought in as {dataset.name}")
        return
    with InpaintClient() as client:
        row, new = import_dataset(dataset, client.database, client.store, limits, console.progress)
    if as_json:
        console.document({**console.plain(row), "new": new})
        return
    there = "" if new else "  (this content was there already)"
    console.say(f"{row.dataset}@{row.version}  {wording.plural(row.samples, 'sample')}{there}")


def datasets(as_json: options.Json = False) -> None:
    """List the datasets that runs can be made of."""
    from inpaint_benchmark.datasets import bundled_names
    from inpaint_core.settings import load_settings
    from inpaint_db.dataset_queries import list_versions
    from inpaint_db.session import Database

    with Database(load_settings()) as database, database.read() as connection:
        rows = list_versions(connection)
    if as_json:
        console.document(rows)
        return
    console.table(
        ("dataset", "version", "samples", "licence", "imported", "about"),
        [(r.dataset, r.version, r.samples, r.licence, wording.moment(r.imported_at), r.description) for r in rows],
    )
    if waiting := sorted(set(bundled_names()) - {row.dataset for row in rows}):
        console.tell(f"comes with the package, and is brought in when a run first names it: {', '.join(waiting)}")
