"""Where in its queue a job stands: a step for each message, by priority and by what its campaign has waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inpaint_core.fairness import COUNT_UP_TO, step_for
from inpaint_core.queues import WakeUp
from inpaint_core.status import Priority
from inpaint_db.submissions import count_waiting
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class InLine:
    """A job whose message is about to be sent."""

    id: UUID
    model: str
    priority: Priority
    campaign: str | None

    @property
    def line(self) -> tuple[str, str, str]:
        """The jobs that it stands in line with."""
        return self.model, self.priority.value, self.campaign or ""


def wake_ups(connection: Connection, jobs: Sequence[InLine]) -> list[WakeUp]:
    """A wake-up for each, in their order; what was sent in earlier transactions stands in front of them."""
    waiting = count_waiting(connection, {job.line for job in jobs}, up_to=COUNT_UP_TO)
    wakes = []
    for job in jobs:
        wakes.append(WakeUp(job.id, job.model, step_for(job.priority, waiting[job.line])))
        waiting[job.line] += 1
    return wakes
