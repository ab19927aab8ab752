"""Ending the process without unwinding it: what is still in hand is handed back first."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import NoReturn

from inpaint_core.log import get_logger
from inpaint_core.settings import Settings
from inpaint_db.session import Database

from inpaint_worker.attempt import Attempt, Stop
from inpaint_worker.outcome import Outcome

#: Exit status after a hung step or a broken device: the supervisor starts a new process.
EXIT_UNTRUSTED = 70
#: A database that is away must not keep a broken process alive; the leases run out by themselves.
_RECORD_S = 10
log = get_logger("inpaint.worker")


def leave(settings: Settings, database: Database, in_hand: Sequence[Attempt], status: int) -> NoReturn:
    """Hand back what is in hand and exit at once: other threads may be stuck in a device call."""

    def hand_back() -> None:
        for attempt in in_hand:
            Outcome(settings, database, attempt).stopped(Stop.DRAINED)

    if in_hand:
        log.warning("worker_leaves_running_jobs", jobs=len(in_hand))
        record = threading.Thread(target=hand_back, daemon=True)
        record.start()
        record.join(_RECORD_S)
    log.info("worker_exits", status=status)
    os._exit(status)
