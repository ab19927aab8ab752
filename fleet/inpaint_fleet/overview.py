"""How the fleet stands: local stack, queues, workers, newest jobs, disk. What cannot be asked is named, not guessed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_core.errors import InpaintError, NotConfigured
from inpaint_core.settings import Settings

if TYPE_CHECKING:
    from inpaint_db.queries import JobView, WorkerView

    from inpaint_fleet.local.control import StackState


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """One model's queue. `messages` waits in Redis, None if Redis did not say; the rest is Postgres' truth."""

    model: str
    messages: int | None
    queued: int
    running: int
    oldest_queued_s: float | None
    workers_ready: int
    workers_loading: int
    succeeded_last_hour: int
    failed_last_hour: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of the data folder."""

    path: Path
    free_bytes: int
    total_bytes: int


@dataclass(slots=True)
class Overview:
    """Everything at one moment. None: it could not be asked, and `problems` says why."""

    stack: StackState
    disk: Disk
    queues: list[QueueStanding] | None = None
    workers: list[WorkerView] | None = None
    jobs: list[JobView] | None = None
    problems: list[InpaintError] = field(default_factory=list)


def look(settings: Settings, *, jobs: int = 5) -> Overview:
    """Ask everything once."""
    from inpaint_fleet.local.control import state

    overview = Overview(stack=state(settings.data_dir), disk=disk_of(settings.data_dir))
    try:
        _ask_database(settings, overview, jobs)
    except InpaintError as error:
        overview.problems.append(error)
    # Queues that Postgres does not know of are found by the catalogue; without Redis, the depth is not known.
    try:
        depths = _ask_redis(settings, [queue.model for queue in overview.queues or ()])
    except InpaintError as error:
        overview.problems.append(error)
        return overview
    known = {queue.model: queue for queue in overview.queues or ()}
    if overview.queues is not None:
        overview.queues = [
            _with_depth(known.get(model), model, depth)
            for model, depth in sorted(depths.items())
            if depth or model in known
        ]
    return overview


def _ask_database(settings: Settings, overview: Overview, jobs: int) -> None:
    from inpaint_db import queries
    from inpaint_db.migrate import require_current
    from inpaint_db.session import Database

    live_s = live_after_s(settings)
    with Database(settings, application="inpaint-status", pool_size=1) as database, database.read() as connection:
        require_current(connection)
        queues = queries.list_queues(connection, live_s=live_s)
        overview.queues = [
            QueueStanding(
                queue.model, None, queue.queued, queue.running, queue.oldest_queued_s, queue.workers_ready,
                queue.workers_loading, queue.succeeded_last_hour, queue.failed_last_hour,
            )
            for queue in queues
        ]  # fmt: skip
        overview.workers = queries.list_workers(connection, live_s=live_s)
        overview.jobs = queries.list_jobs(connection, queries.JobFilter(), jobs) if jobs else []


def _ask_redis(settings: Settings, models: Sequence[str]) -> dict[str, int]:
    from inpaint_core.catalogue import load_catalogue
    from inpaint_core.queues import broker_errors, connect_redis, queue_depths

    with broker_errors(settings), connect_redis(settings) as redis:
        return queue_depths(redis, sorted({*models, *load_catalogue(settings.catalogue)}))


def _with_depth(queue: QueueStanding | None, model: str, depth: int) -> QueueStanding:
    from dataclasses import replace

    if queue is not None:
        return replace(queue, messages=depth)
    return QueueStanding(model, depth, 0, 0, None, 0, 0, 0, 0)


def live_after_s(settings: Settings) -> float:
    """A worker that is silent for longer has lost its jobs, and counts as gone."""
    return settings.lease_s


def disk_of(folder: Path) -> Disk:
    """The disk that holds the folder, which need not exist yet."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    usage = shutil.disk_usage(nearest)
    return Disk(folder, usage.free, usage.total)


def nothing_configured(overview: Overview) -> bool:
    """True if there is no fleet to look at yet."""
    return bool(overview.problems) and all(isinstance(error, NotConfigured) for error in overview.problems)
