"""The images that a job stored: where each lies, and how it becomes a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import UUID

from inpaint_core.errors import InputNotFound, InvalidRequest, JobFailed
from inpaint_core.status import JobStatus

if TYPE_CHECKING:
    from inpaint_db.queries import JobView

#: The picture itself. Others are `region`, the mask of what the job might change, and `raw`, what the model returned.
RESULT = "result"


def choose_output(view: JobView, outputs: Mapping[str, str], kind: str, number: int = 1) -> str:
    """The address of one of the images of a job's output `number`; `JobFailed` if the job has none, `InvalidRequest`
    if there is no such number or kind.
    """
    if view.status is JobStatus.SUCCEEDED and not 1 <= number <= view.outputs:
        many = "one output" if view.outputs == 1 else f"{view.outputs} outputs"
        raise InvalidRequest(f"Job {view.id} has {many}, and no number {number}.", field="number")
    if not outputs:
        raise JobFailed(_no_output(view), job_id=str(view.id), status=view.status.value)
    if kind not in outputs:
        hint = " What the model returned is kept only if the edit asks for it (keep_raw)." if kind == "raw" else ""
        raise InvalidRequest(
            f"Job {view.id} has no output of the kind {kind!r}; it has {', '.join(sorted(outputs))}.{hint}",
            field="kind",
        )
    return outputs[kind]


def file_name(job_id: UUID | str, kind: str, uri: str, number: int = 1) -> str:
    """What an output is called in a folder: its job's id, its number if it is not the first, its kind if it is not the
    result, its format.
    """
    which = "" if number == 1 or kind == "region" else f"-{number}"
    return f"{job_id}{which}{'' if kind == RESULT else f'-{kind}'}{PurePosixPath(uri).suffix or '.png'}"


def write_whole(target: Path, data: bytes) -> None:
    """Write a file; one in its place is replaced only when the new one is whole."""
    if not target.parent.is_dir():
        raise InputNotFound(f"There is no folder {target.parent} to write into. Make it first.", path=str(target))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _no_output(view: JobView) -> str:
    if view.status is JobStatus.FAILED:
        return f"Job {view.id} failed ({view.error_code}): {view.error_message}"
    if view.status.is_final:
        return f"Job {view.id} is {view.status.value} and has no output. Queue it again with `inpaint jobs retry`."
    return f"Job {view.id} is {view.status.value} and has no output yet. Wait for it first."
