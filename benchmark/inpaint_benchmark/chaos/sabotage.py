"""Breaking the design on purpose, to see that a run then fails: only so is it a test.

Each name takes one safeguard away, inside a worker process (the relay is left out by not starting one).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, cast, get_args

from inpaint_core.storage import ObjectRef
from inpaint_db import claims
from inpaint_worker import heartbeat
from sqlalchemy import TextClause, text

Sabotage = Literal["none", "fence", "claim", "bytes", "relay"]
CHOICES: tuple[Sabotage, ...] = get_args(Sabotage)


def break_on_purpose(what: Sabotage) -> None:
    """Take the safeguard away in this process."""
    if what == "fence":
        # Any attempt may end the job, and no heartbeat tells a late one to stop.
        for name in ("_FINISH", "_REQUEUE"):
            fenced = "WHERE id = :job_id AND attempt = :number AND status = 'running'"
            statement = _without(getattr(claims, name), fenced, "WHERE id = :job_id")
            setattr(claims, name, statement.bindparams(*claims._JSON))
        _hear_nothing()
    elif what == "claim":
        # A second delivery takes the job from whoever runs it.
        claims._CLAIM = _without(claims._CLAIM, "status = 'queued' AND", "status IN ('queued', 'running') AND")


def spoiled(put: Any, what: Sabotage) -> Any:
    """`S3Store.put`, losing the last byte of each output if asked to."""

    def short_put(self: Any, ref: ObjectRef, data: bytes, content_type: str) -> None:
        put(self, ref, data[:-1], content_type)

    return short_put if what == "bytes" else put


def _without(statement: TextClause, safeguard: str, instead: str) -> TextClause:
    if safeguard not in statement.text:
        raise LookupError(f"{safeguard!r} is no longer in the statement: mend inpaint_benchmark.chaos.sabotage")
    return text(statement.text.replace(safeguard, instead))


def _hear_nothing() -> None:
    patched = cast(Any, heartbeat)
    renew = patched.renew

    def deaf(connection: Any, worker_id: Any, state: str, running: Any, *, lease_s: float) -> Any:
        answer = renew(connection, worker_id, state, running, lease_s=lease_s)
        return dataclasses.replace(answer, held=frozenset((p.job_id, p.number) for p in running))

    patched.renew = deaf
