"""The statuses of a job and the moves between them that are lawful."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class JobStatus(StrEnum):
    """Where a job stands. Stored as checked text in `job.status`."""

    QUEUED = "queued"  #: waits for a worker (perhaps until `not_before`)
    RUNNING = "running"  #: a worker holds its lease
    SUCCEEDED = "succeeded"  #: its output is stored
    FAILED = "failed"  #: it ended without an output; `error_code` says why
    CANCELED = "canceled"  #: somebody asked for its end
    EXPIRED = "expired"  #: its deadline passed first

    @property
    def is_final(self) -> bool:
        """True when no worker will touch the job again, unless somebody retries it."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class AttemptStatus(StrEnum):
    """How one execution of a job ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    RELEASED = "released"  #: handed back by a worker that stops; not the job's fault
    LOST = "lost"  #: its lease ran out: the worker died or was cut off


class MaskKind(StrEnum):
    """Where the mask of a job comes from."""

    OBJECT = "object"
    #: The transparent pixels of the source.
    ALPHA = "alpha"
    #: Boxes and polygons in the request.
    SHAPES = "shapes"


class WorkerState(StrEnum):
    """What a worker process says of itself. Whether it still lives is told by `worker.seen_at`."""

    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Priority(StrEnum):
    """How a job stands against others that wait in the same queue."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


_S = JobStatus
#: status -> the statuses it may become. The last three go back to `queued` by an explicit retry only.
LAWFUL_MOVES = MappingProxyType(
    {
        _S.QUEUED: frozenset({_S.RUNNING, _S.FAILED, _S.CANCELED, _S.EXPIRED}),
        _S.RUNNING: frozenset({_S.QUEUED, _S.SUCCEEDED, _S.FAILED, _S.CANCELED, _S.EXPIRED}),
        _S.SUCCEEDED: frozenset(),
        _S.FAILED: frozenset({_S.QUEUED}),
        _S.CANCELED: frozenset({_S.QUEUED}),
        _S.EXPIRED: frozenset({_S.QUEUED}),
    }
)
