"""Ending the process without unwinding it: what is nearly done is stored, what else is in hand goes back."""

from __future__ import annotations

import os
import threading
import time
from typing import NoReturn

from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from inpaint_db.session import Database

from inpaint_worker.attempt import Attempt, Stop
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.outcome import Outcome

#: Exit status after a hung step or a broken device: the supervisor starts a new process.
EXIT_UNTRUSTED = 70
#: Jobs that are done with the device may still be stored, and claims may end.
_STORE_S = 5
#: A database that is away must not keep a broken process alive; the leases run out by themselves.
_RECORD_S = 10
log = get_logger("inpaint.worker")


def leave(
    settings: Settings, database: Database, heartbeat: Heartbeat, status: int, *, besides: Attempt | None = None
) -> NoReturn:
    """Exit with `status`; other threads may be stuck in a device call. `besides` has been dealt with already."""
    # A job that was claimed behind the look at what is left would wait for its lease, and be counted as a failure.
    heartbeat.claim_no_more()
    until = time.monotonic() + _STORE_S
    while time.monotonic() < until and (
        heartbeat.is_claiming or any(a.is_past_device for a in heartbeat.running() if a is not besides)
    ):
        time.sleep(0.05)
    left = [attempt for attempt in heartbeat.running() if attempt is not besides]

    def hand_back() -> None:
        for attempt in left:
            Outcome(settings, database, attempt).stopped(Stop.DRAINED)

    if left:
        log.warning("worker_leaves_running_jobs", jobs=len(left))
        record = threading.Thread(target=hand_back, daemon=True)
        record.start()
        record.join(_RECORD_S)
    log.info("worker_exits", status=status)
    os._exit(status)
