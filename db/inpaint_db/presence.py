"""Worker processes: who they are, where they run, and whether they still live."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from inpaint_core.card import ModelCard
from inpaint_core.ids import new_id
from inpaint_core.status import WorkerState
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from inpaint_db.environments import Environment, Worker
from inpaint_db.submissions import register_models


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """What of a machine can change a result or its time."""

    device_kind: str
    device_name: str
    device_memory_bytes: int | None
    driver_version: str | None
    python_version: str
    operating_system: str
    packages: dict[str, str] = field(default_factory=dict)
    #: How the model is held: number format, revisions of its weights, savers.
    runtime: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """sha256 over all of it: equal machines share a row."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The rows of a worker process."""

    id: UUID
    environment_id: UUID


def register_worker(
    connection: Connection, card: ModelCard, facts: EnvironmentFacts, *, host: str, pid: int, version: str
) -> WorkerIdentity:
    """Enter a worker process that begins to load its model."""
    register_models(connection, [card])
    environment_id = _enter_environment(connection, facts)
    worker_id = new_id()
    connection.execute(
        insert(Worker).values(
            id=worker_id, model=card.name, environment_id=environment_id, host=host, pid=pid, version=version
        )
    )
    return WorkerIdentity(worker_id, environment_id)


def set_worker_environment(connection: Connection, worker_id: UUID, facts: EnvironmentFacts) -> WorkerIdentity:
    """Say what the worker has become by loading its model: attempts from now on refer to it."""
    environment_id = _enter_environment(connection, facts)
    connection.execute(update(Worker).where(Worker.id == worker_id).values(environment_id=environment_id))
    return WorkerIdentity(worker_id, environment_id)


def _enter_environment(connection: Connection, facts: EnvironmentFacts) -> UUID:
    print_ = facts.fingerprint()
    connection.execute(
        insert(Environment)
        .values(id=new_id(), fingerprint=print_, **asdict(facts))
        .on_conflict_do_nothing(index_elements=[Environment.fingerprint])
    )
    return connection.execute(select(Environment.id).where(Environment.fingerprint == print_)).scalar_one()


def set_worker_state(connection: Connection, worker_id: UUID, state: WorkerState) -> None:
    """Say where the process stands: ready after warming up, stopping, stopped."""
    values: dict[str, object] = {"state": state.value, "seen_at": func.now()}
    if state is WorkerState.READY:
        values["ready_at"] = func.now()
    if state is WorkerState.STOPPED:
        values["stopped_at"] = func.now()
    connection.execute(update(Worker).where(Worker.id == worker_id).values(**values))
