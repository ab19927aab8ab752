"""Following jobs on stderr until they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from inpaint_core.errors import InvalidRequest, JobFailed

from inpaint_fleet.batch.names import beside
from inpaint_fleet.batch.run import cannot_write
from inpaint_fleet.cli import console, wording
from inpaint_fleet.cli.converting import ENDINGS, convert
from inpaint_fleet.cli.outcome import TimedOut

if TYPE_CHECKING:
    from inpaint_db.queries import JobView
    from inpaint_producer import InpaintClient


def follow(client: InpaintClient, job_id: UUID, timeout_s: float | None) -> JobView:
    """Wait for one job, telling what it waits for, its phase and its steps; the job as it ended."""
    with waiting_for([job_id]), console.live_line() as show:
        for view in client.stream(job_id, timeout_s=timeout_s):
            if view.status.is_final:
                return view
            show(wording.why_not_done(view))
    raise AssertionError("a stream ends with a final status")


@contextlib.contextmanager
def waiting_for(job_ids: Sequence[UUID]) -> Iterator[None]:
    """What to say when the waiting ends before the jobs do."""
    ids = " ".join(map(str, job_ids))
    few = len(job_ids) <= 5
    go_on = f"go on waiting with `inpaint jobs wait {ids}`" if few else "see how they stand with `inpaint jobs list`"
    try:
        yield
    except TimeoutError as error:
        sentence = str(error)[:1].upper() + str(error)[1:]
        raise TimedOut(f"{sentence} Nothing was stopped; {go_on}.") from None
    except KeyboardInterrupt:
        subject = "the job goes" if len(job_ids) == 1 else f"{len(job_ids):,} jobs go"
        console.note(f"{subject} on without you; {go_on}, or end with `inpaint jobs cancel`")
        raise


def tell_warnings(view: JobView) -> None:
    """What the worker found doubtful."""
    for warning in view.warnings or ():
        console.note(console.clean(warning))


def require_success(view: JobView) -> None:
    """`JobFailed` with the job's own sentence, unless it succeeded."""
    if view.status == "succeeded":
        return
    why = f" ({view.error_code}): {view.error_message}" if view.error_code else "."
    hint = "" if view.error_code else f" Queue it again with `inpaint jobs retry {view.id}`."
    raise JobFailed(f"Job {view.id} {_ended_as(view.status.value)}{why}{hint}", job_id=str(view.id))


def check_target(path: Path) -> None:
    """`InvalidRequest` if an output could not be written there: better now than after the job."""
    if path.is_dir():
        return
    if path.suffix and path.suffix.lower() not in ENDINGS:
        raise InvalidRequest(
            f"{path.name} ends in {path.suffix}, which is no format that results are written as. There are: "
            f"{', '.join(ENDINGS)}.",
            path=str(path),
        )
    folder = path.parent
    if not folder.is_dir():
        raise InvalidRequest(f"There is no folder {folder} to write {path.name} into. Create it first.", path=str(path))
    import os

    if not os.access(folder, os.W_OK):
        raise InvalidRequest(f"The folder {folder} cannot be written to. Choose another place.", path=str(path))


def fetch_all(client: InpaintClient, view: JobView, path: Path, kind: str = "result") -> list[Path]:
    """Write all outputs of a job: the first to `path`, the second as `-2` beside it, and so on. The region is one."""
    count = 1 if kind == "region" else view.outputs
    return [fetch(client, view, beside(path, number), kind, number, quiet=number > 1) for number in range(1, count + 1)]


def fetch(
    client: InpaintClient, view: JobView, path: Path, kind: str = "result", number: int = 1, *, quiet: bool = False
) -> Path:
    """Write a job's output; the path of the file. A name that ends otherwise than what is stored gets it converted,
    and what that loses is told unless `quiet`.
    """
    from inpaint_producer.outputs import write_whole

    try:
        if path.is_dir():
            return client.download(view.id, path, kind, number)
        data, loss = convert(client.result_bytes(view.id, kind, number), path.name)
        write_whole(path, data)
    except OSError as error:
        raise cannot_write(path, error) from None
    if loss and not quiet:
        console.note(loss)
    return path


def make_folder(folder: Path) -> None:
    """Make a folder for results, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None


def _ended_as(status: str) -> str:
    return {"failed": "failed", "canceled": "was canceled", "expired": "expired"}.get(status, f"is {status}")
