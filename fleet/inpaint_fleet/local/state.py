"""What runs now, written down: for `inpaint status`, and for the next start after the power went."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals
from typing import Any

from inpaint_fleet.local.folder import DataFolder, write_private
from inpaint_fleet.local.processes import ProcessId


@dataclass(frozen=True, slots=True)
class ChildRecord:
    """One child process, as it was last started."""

    name: str
    process: ProcessId
    started_at: datetime
    restarts: int
    #: What asks it to stop: Postgres wants SIGINT.
    stop_signal: int


@dataclass(frozen=True, slots=True)
class StackRecord:
    """The supervisor and its children."""

    supervisor: ProcessId
    started_at: datetime
    #: Service name to host:port, Flower to its URL.
    addresses: dict[str, str] = field(default_factory=dict)
    children: tuple[ChildRecord, ...] = ()
    #: Servers answer, the schema is current, all children were started.
    ready: bool = False


def new_record() -> StackRecord:
    """The record of a stack that this process is about to start."""
    return StackRecord(ProcessId.of(os.getpid()), datetime.now(UTC))


def write_record(folder: DataFolder, record: StackRecord) -> None:
    """Write it down."""
    write_private(folder.state_file, json.dumps(asdict(record), default=datetime.isoformat, indent=2) + "\n")


def read_record(folder: DataFolder) -> StackRecord | None:
    """The last record; None if nothing was left running, or it cannot be read."""
    try:
        found: dict[str, Any] = json.loads(folder.state_file.read_text(encoding="utf-8"))
        return StackRecord(
            supervisor=ProcessId(**found["supervisor"]),
            started_at=datetime.fromisoformat(found["started_at"]),
            addresses=found["addresses"],
            children=tuple(_child(child) for child in found["children"]),
            ready=bool(found["ready"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _child(found: dict[str, Any]) -> ChildRecord:
    return ChildRecord(
        name=found["name"],
        process=ProcessId(**found["process"]),
        started_at=datetime.fromisoformat(found["started_at"]),
        restarts=found["restarts"],
        stop_signal=found["stop_signal"],
    )


def end_orphans(children: Sequence[ChildRecord], grace_s: float = 5) -> list[str]:
    """End children whose supervisor was killed; the names of those that were still there.

    The kernel has told them to stop when their supervisor died. This waits for those that take their time, because
    two servers on the same files would ruin them.
    """
    left = [child for child in children if child.process.alive()]
    for child in left:
        child.process.signal(Signals(child.stop_signal))
    deadline = time.monotonic() + grace_s
    for child in left:
        if not child.process.wait(max(0, deadline - time.monotonic())):
            child.process.kill_group()
            child.process.wait(5)
    return [child.name for child in left]


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
