"""An attempt in progress: where its seconds go, how far it is, and whether it should stop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum

from inpaint_db.claims import AttemptReport, Claimed, Progress


class Stop(Enum):
    """Why an attempt ends before its time."""

    CANCELED = "somebody canceled the job"
    FENCED = "another worker has the job"
    EXPIRED = "the deadline passed"
    DRAINED = "this worker stops"


class AttemptStopped(Exception):
    """Raised inside an attempt that should end; `reason` says why."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Attempt:
    """One claimed job while this process works on it. The heartbeat reads it from another thread."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.key = (claimed.job_id, claimed.number)
        self.report = AttemptReport()
        self.phase_name = "fetch"
        self.moved_at = time.monotonic()
        self._phase_began: float | None = None
        self._counted_as = self.phase_name
        self._stop: Stop | None = None
        self._stop_lock = threading.Lock()

    @contextlib.contextmanager
    def phase(self, name: str, *, counts_as: str | None = None) -> Iterator[None]:
        """Count the block's seconds as `<name>_s`, or as another phase's."""
        self.check()
        # The time first: the watchdog must not see a new phase with the time of the old.
        self._phase_began = self.moved_at = time.monotonic()
        self.phase_name, self._counted_as = name, counts_as or name
        try:
            yield
        finally:
            self.report = self.measured()
            self._phase_began = None

    def measured(self) -> AttemptReport:
        """The report as of now: the phase that is under way counts up to here, even if it never ends."""
        seconds = dict(self.report.seconds)
        if self._phase_began is not None:
            column = self._counted_as + "_s"
            seconds[column] = seconds.get(column, 0.0) + time.monotonic() - self._phase_began
        return replace(self.report, seconds=seconds)

    def step(self, done: int, total: int) -> None:
        """The step callback of pipelines: note progress, and stop here if the attempt should end."""
        self.report.steps_done, self.report.steps_total = done, total
        self.moved_at = time.monotonic()
        self.check()

    def note_work(self, work: Mapping[str, int]) -> None:
        """What a run in a quicker tier came to, recorded beside the parameters; several runs add up."""
        before = self.report.parameters or {}
        self.report.parameters = {**before, **{name: before.get(name, 0) + count for name, count in work.items()}}

    @property
    def in_phase(self) -> bool:
        """False between phases, and while its end is being recorded: nothing computes then."""
        return self._phase_began is not None

    @property
    def is_past_device(self) -> bool:
        """The picture is painted; it only has to be put together and stored."""
        return self.phase_name in ("composite", "encode", "store")

    def stop(self, reason: Stop) -> None:
        """Ask for the end; the first reason counts."""
        with self._stop_lock:
            self._stop = self._stop or reason

    @property
    def stopped(self) -> Stop | None:
        """Why it should end, or None."""
        return self._stop

    def check(self) -> None:
        """Raise `AttemptStopped` if the attempt should end."""
        deadline = self.claimed.deadline
        if deadline is not None and datetime.now(UTC) >= deadline:
            self.stop(Stop.EXPIRED)
        if self._stop is not None:
            raise AttemptStopped(self._stop)

    def progress(self) -> Progress:
        """What the heartbeat tells of it."""
        report = self.report
        return Progress(*self.key, self.phase_name, report.steps_done, report.steps_total)
