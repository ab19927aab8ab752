"""Statements about results that were made elsewhere: a run without jobs, whose trials hold their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from uuid import UUID

from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from inpaint_core.tiers import Tier
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from inpaint_db.dataset_queries import VersionRow
from inpaint_db.run_queries import RunPlan, RunRow, find_run, insert_run, list_runs
from inpaint_db.runs import Run, Trial

#: Results of one INSERT: its parameters must stay under the protocol's 65,535.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ImportedResult:
    """A picture whose row is in `image`. Seconds, cost and device are as its maker said; None: not said."""

    sample_id: UUID
    number: int
    output_sha256: str
    made_on: date | None = None
    device_name: str | None = None
    inference_s: float | None = None
    cost_usd: float | None = None


def open_imported_run(
    connection: Connection, name: str, version: VersionRow, model: str, trials: int, tier: Tier = Tier.EXACT
) -> RunRow:
    """The run that results of a model are imported into, made if it is not there; `trials`: the highest number.

    Trials have their numbers as seeds, since nobody knows any. `InvalidRequest` if the name belongs to another run.
    """
    there = next((run for run in list_runs(connection, 1_000_000) if run.name == name), None)
    if there is None:
        plan = RunPlan(version.id, [model], None, list(range(1, trials + 1)), imported=True, tier=tier.value)
        return insert_run(connection, name, plan, [])
    if not there.imported or there.models != [model] or there.dataset_version_id != version.id:
        what = f"imported results of {', '.join(there.models)}" if there.imported else "jobs of this fleet"
        raise InvalidRequest(
            f"The run {name!r} is there already: {what} on {there.dataset}@{there.dataset_version}. Give this one "
            "another name with --run.",
            field="run",
        )
    if there.tier != tier:
        raise InvalidRequest(
            f"The run {name!r} is there already, with results of the tier {there.tier}, and these are {tier}. Give "
            "them another name with --run.",
            field="tier",
        )
    if trials > len(there.seeds):
        connection.execute(update(Run).where(Run.id == there.id).values(seeds=list(range(1, trials + 1))))
    return find_run(connection, name)


def imported_outputs(connection: Connection, run_id: UUID) -> dict[tuple[UUID, int], str]:
    """The pictures that an imported run holds: sha256 by sample and number of the trial."""
    columns = (Trial.sample_id, Trial.number, Trial.output_sha256)
    rows = connection.execute(select(*columns).where(Trial.run_id == run_id, Trial.output_sha256.is_not(None)))
    return {(row.sample_id, row.number): row.output_sha256 for row in rows}


def insert_results(connection: Connection, run: RunRow, model: str, results: Sequence[ImportedResult]) -> int:
    """Write a trial for each result that is not there yet; how many were new."""
    rows = [
        {"id": new_id(), "run_id": run.id, "model": model, "seed": result.number, "imported_at": func.now()}
        | asdict(result)
        for result in results
    ]
    new = 0
    for start in range(0, len(rows), _CHUNK):
        portion = upsert(Trial).values(rows[start : start + _CHUNK])
        new += len(connection.execute(portion.on_conflict_do_nothing().returning(Trial.id)).all())
    return new
