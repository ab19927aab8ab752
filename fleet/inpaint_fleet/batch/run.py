"""Running a batch: check every row, submit, follow, fetch, and add up."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from inpaint_core.errors import DiskFull, InpaintError, InvalidRequest, RequestError
from inpaint_core.status import JobStatus

from inpaint_fleet.batch.names import beside, output_names
from inpaint_fleet.batch.rows import Row

if TYPE_CHECKING:
    from inpaint_db.queries import JobView
    from inpaint_db.submissions import Submitted
    from inpaint_producer import InpaintClient

Advance = Callable[[int], None]
_AT_ONCE = 8


def check_rows(client: InpaintClient, rows: Sequence[Row], advance: Advance) -> list[Row]:
    """Every row checked as a submit would check it, pictures included. Rows that would be refused tell why."""

    def check(row: Row) -> Row:
        if row.spec is not None:
            # Notes name the row, as errors do.
            with structlog.contextvars.bound_contextvars(place=row.place):
                try:
                    client.check(row.spec)
                except RequestError as error:
                    return row.refused(error.message)
        return row

    checked = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as threads:
        for row in threads.map(check, rows):
            checked.append(row)
            advance(1)
    return checked


def submit_rows(client: InpaintClient, rows: Sequence[Row], advance: Advance) -> list[tuple[Row, Submitted]]:
    """Queue the rows that have a job. An error that stops it says how many were queued before, in `error.queued`."""
    good = [row for row in rows if row.spec is not None]
    queued: list[tuple[Row, Submitted]] = []
    try:
        answers = client.submit_many(row.spec for row in good if row.spec is not None)
        for row, answer in zip(good, answers, strict=True):
            queued.append((row, answer))
            advance(1)
    except RequestError as error:
        place = good[index].place if isinstance(index := error.facts.get("index"), int) else "a row"
        error.args = (f"{place}: {error.message}",)
        error.message = f"{place}: {error.message} {_so_far(queued)}"
        raise
    return queued


def _so_far(queued: Sequence[object]) -> str:
    return f"{len(queued):,} jobs were queued before it." if queued else "Nothing was queued."


@dataclass(slots=True)
class Summary:
    """How a batch went. Seconds are those on the device."""

    rows: int
    invalid: int
    submitted: int
    repeated: int
    succeeded: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    total_s: float | None = None
    inference_s: float | None = None
    cost_usd: float | None = None
    cost_unknown: int = 0


def follow_rows(
    client: InpaintClient,
    queued: Sequence[tuple[Row, Submitted]],
    advance: Advance,
    *,
    timeout_s: float | None = None,
    folder: Path | None = None,
) -> tuple[dict[UUID, JobView], dict[int, list[Path]]]:
    """Wait for all, and write results into `folder` as they come: the jobs by id, the files by row number."""
    files: dict[int, list[Path]] = {}
    names = output_names([row for row, _ in queued])
    rows_of: dict[UUID, list[Row]] = {}
    for row, job in queued:
        rows_of.setdefault(job.id, []).append(row)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as threads:
        fetching = []
        for job_id, status in client.as_ended(list(rows_of), timeout_s=timeout_s):
            if folder is not None and status is JobStatus.SUCCEEDED:
                fetching += [
                    (row, threads.submit(_fetch_all, client, job_id, folder, names[row.number]))
                    for row in rows_of[job_id]
                ]
            advance(len(rows_of[job_id]))
        for row, written in fetching:
            files[row.number] = written.result()
    views = client.wait_many(list(rows_of))
    return {view.id: view for view in views}, files


def _fetch_all(client: InpaintClient, job_id: UUID, folder: Path, name: str) -> list[Path]:
    """Write all outputs of a job; where they are."""
    view = client.get(job_id)
    first = folder / (name + (Path(view.output_uri or "").suffix or ".png"))
    targets = [beside(first, number) for number in range(1, view.outputs + 1)]
    for number, target in enumerate(targets, start=1):
        try:
            client.download(job_id, target, number=number)
        except OSError as error:
            raise cannot_write(target, error) from None
    return targets


def cannot_write(path: Path, error: OSError) -> InpaintError:
    """Why a result is not where it was wanted. The job is not harmed: its output can be fetched again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"The disk of {path.parent} is full, and nothing was written there. Free some space, then fetch the "
            "output with `inpaint jobs download`.",
            path=str(path),
        )
    return InvalidRequest(f"{path} cannot be written: {error.strerror or error}.", path=str(path))


def summarise(rows: Sequence[Row], queued: Sequence[tuple[Row, Submitted]], views: dict[UUID, JobView]) -> Summary:
    """Add up."""
    summary = Summary(
        rows=len(rows),
        invalid=sum(row.problem is not None for row in rows),
        submitted=sum(job.created for _, job in queued),
        repeated=sum(not job.created for _, job in queued),
    )
    if not views:
        return summary
    ended = list(views.values())
    summary.succeeded = sum(view.status is JobStatus.SUCCEEDED for view in ended)
    summary.failed = dict(
        Counter(view.error_code or view.status.value for view in ended if view.status is not JobStatus.SUCCEEDED)
    )
    summary.total_s = max(
        ((v.finished_at - v.submitted_at).total_seconds() for v in ended if v.finished_at is not None), default=None
    )
    measured = [view.seconds["inference_s"] for view in ended if "inference_s" in view.seconds]
    summary.inference_s = sum(measured) if measured else None
    known = [view.cost_usd for view in ended if view.cost_usd is not None]
    summary.cost_usd = sum(known) if known else None
    summary.cost_unknown = len(ended) - len(known)
    return summary
