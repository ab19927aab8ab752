"""What each worker process says it holds, written line by line, so that a kill -9 cannot make it forget.

The database cannot bear witness against itself. So every process notes, beside it, when it was given a job, until when
the lease then held, and when it let go; and afterwards the notes of all processes are laid side by side.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import UUID

Event = Literal["claimed", "renewed", "letting_go"]


class ClaimLog:
    """The notes of one process. Each line is one write, which other threads cannot tear."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, event: Event, job_id: UUID, number: int, asked: float) -> None:
        """Note the event; `asked` is the time just before the database was asked."""
        line = {"event": event, "job": str(job_id), "number": number, "asked": asked, "told": time.time()}
        os.write(self._file, (json.dumps(line) + "\n").encode())


@dataclass(slots=True)
class Holding:
    """One job in the hands of one process. Times are seconds since the epoch."""

    process: str
    job_id: UUID
    number: int
    claimed_at: float
    #: The lease held at least from here on for `lease_s`.
    renewed: list[float] = field(default_factory=list)
    let_go_at: float = float("inf")

    def held_until(self, lease_s: float, before: float) -> float:
        """Until when it was certainly held, as far as was known at the time `before`."""
        lease_from = max((asked for asked in self.renewed if asked < before), default=self.renewed[0])
        return min(lease_from + lease_s, self.let_go_at)


def read_claim_logs(folder: Path) -> list[Holding]:
    """All holdings of all processes, in the order of their attempts."""
    found: list[Holding] = []
    for path in sorted(folder.glob("claims-*.jsonl")):
        held: dict[tuple[str, int], Holding] = {}
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            key = (line["job"], line["number"])
            if line["event"] == "claimed":
                # The answer to a claim proves nothing about the time before it was given.
                held[key] = Holding(path.stem, UUID(line["job"]), line["number"], line["told"], [line["asked"]])
                found.append(held[key])
            elif key in held and line["event"] == "renewed":
                held[key].renewed.append(line["asked"])
            elif key in held:
                held[key].let_go_at = min(held[key].let_go_at, line["asked"])
    # Not in the order of the notes: a process may freeze between the answer to its claim and its note of it.
    return sorted(found, key=lambda holding: holding.number)


def double_holdings(holdings: list[Holding], lease_s: float) -> list[str]:
    """Jobs that two processes had at once, each by a lease that had not run out."""
    by_job: dict[UUID, list[Holding]] = defaultdict(list)
    problems = []
    for later in holdings:
        for earlier in by_job[later.job_id]:
            if earlier.number == later.number:
                problems.append(f"job {later.job_id}: attempt {later.number} was given to two claims")
            elif earlier.held_until(lease_s, later.claimed_at) > later.claimed_at:
                problems.append(
                    f"job {later.job_id}: attempt {later.number} was claimed while {earlier.process} held attempt "
                    f"{earlier.number}"
                )
        by_job[later.job_id].append(later)
    return problems
