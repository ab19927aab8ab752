"""Beginning a run, or finding the one that was begun."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits
from inpaint_core.storage import ObjectStore
from inpaint_db.dataset_queries import VersionRow, find_version, list_samples, list_versions
from inpaint_db.queries import list_queues
from inpaint_db.run_queries import RunRow, insert_run, list_runs, same_unfinished
from inpaint_db.session import Database
from inpaint_db.submissions import register_models

from inpaint_benchmark.datasets import bundled, bundled_names
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.importing import import_dataset
from inpaint_benchmark.runs.planning import Wanted, plan_run

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A run, and whether this call made it."""

    run: RunRow
    new: bool


def resolve_dataset(
    wanted: str, database: Database, store: ObjectStore, limits: Limits, progress: Progress
) -> VersionRow:
    """`NAME` or `NAME@VERSION` in the database. One of the package is brought in when it is first named, and again when
    the package has come to bring along another version.
    """
    name, _, version = wanted.partition("@")
    if name in bundled_names():
        ours = bundled(name, limits)
        with database.read() as connection:
            known = {row.version for row in list_versions(connection) if row.dataset == name}
        # A version that is there is left as it is, even if somebody else's.
        if ours.version not in known and version in ("", ours.version):
            return import_dataset(ours, database, store, limits, progress)[0]
    with database.read() as connection:
        return find_version(connection, name, version or None)


def live_models(database: Database, live_s: float) -> list[str]:
    """Models that a worker serves now, or will once it has loaded."""
    with database.read() as connection:
        queues = list_queues(connection, live_s=live_s)
    return sorted(queue.model for queue in queues if queue.workers_ready or queue.workers_loading)


def check_run_name(name: str) -> None:
    """`InvalidRequest` for what no run can be called: files and addresses are named after it."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"name {name!r} must be 1 to 100 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or "
            "digit.",
            field="name",
        )


def begin_run(
    wanted: Wanted, version: VersionRow, catalogue: Catalogue, database: Database, *, name: str | None = None
) -> Begun:
    """Plan and write a run. The same again, under its name or without one, is the run that is there, if unfinished.

    Raises a `RequestError` for what could not be run; then nothing is written.
    """
    if name is not None:
        check_run_name(name)
    with database.read() as connection:
        plan, samples = plan_run(wanted, version, list_samples(connection, version.id), catalogue)
        taken = {run.name for run in list_runs(connection, 1_000_000)}
        if name is None and (there := same_unfinished(connection, plan)) is not None:
            return Begun(there, new=False)
    with database.begin() as connection:
        register_models(connection, [catalogue.card(model) for model in plan.models])
        chosen = name or _free_name(version.dataset, taken)
        run = insert_run(connection, chosen, plan, [sample.id for sample in samples])
    return Begun(run, new=chosen not in taken)


def _free_name(dataset: str, taken: set[str]) -> str:
    """The dataset, the day, and a number: furniture-rooms-20261126-1."""
    stem = f"{dataset}-{datetime.now(UTC):%Y%m%d}"
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
