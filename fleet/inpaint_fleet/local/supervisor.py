"""Keeps children running, and stops them in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inpaint_core.errors import InpaintError

from inpaint_fleet.local.child import Child, ChildSpec, describe_exit
from inpaint_fleet.local.stacklog import StackLog
from inpaint_fleet.local.state import ChildRecord

#: Pause before the first restart; it doubles up to the longest, and begins anew once a child has held out for a while.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
#: How often children are looked at.
POLL_S = 0.1


@dataclass(slots=True)
class _Slot:
    """The place of one child, through all its restarts."""

    spec: ChildSpec
    child: Child
    restarts: int = 0
    failures: int = 0
    #: When it is to be started again; None while it runs.
    due: float | None = None


class Supervisor:
    """Children in stages: each stage is stopped after those that were added later."""

    def __init__(
        self,
        log: StackLog,
        *,
        on_change: Callable[[tuple[ChildRecord, ...]], None] = lambda _: None,
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        self._log = log
        self._on_change = on_change
        self._hurried = hurried
        self._stages: list[list[_Slot]] = []

    def add(self, *specs: ChildSpec) -> list[Child]:
        """Start one more stage."""
        stage: list[_Slot] = []
        self._stages.append(stage)
        for spec in specs:
            stage.append(_Slot(spec, Child(spec, self._log)))
            self._changed()
        return [slot.child for slot in stage]

    def child(self, name: str) -> Child:
        """The present child of that name."""
        return self._slot(name).child

    def watch(self, until: Callable[[], bool]) -> None:
        """Restart what ends, until `until` says so."""
        while not until():
            self.tend()
            time.sleep(POLL_S)

    def tend(self) -> None:
        """Look at each child once: note those that ended, start those whose pause is over."""
        now = time.monotonic()
        for slot in self._slots():
            if slot.due is None:
                status = slot.child.exit_status
                if status is not None:
                    self._plan_restart(slot, status, now)
            elif now >= slot.due:
                self._restart(slot)

    def stop(self) -> None:
        """Stop everything, last stage first. Returns when no process is left."""
        while self._stages:
            stage = self._stages[-1]
            self._stop_stage([slot.child for slot in stage])
            self._stages.pop()
            self._changed()

    def stop_child(self, name: str, *, kill: bool = False) -> None:
        """Stop one child, with its grace or with SIGKILL, and leave it stopped: for tests of what then happens."""
        slot = self._slot(name)
        if kill:
            slot.child.kill()
        self._stop_stage([slot.child])
        slot.due = float("inf")
        self._changed()

    def start_child(self, name: str) -> Child:
        """Start a stopped child again, at once."""
        slot = self._slot(name)
        if slot.child.exit_status is not None:
            self._restart(slot)
        return slot.child

    def _plan_restart(self, slot: _Slot, status: int, now: float) -> None:
        if slot.child.uptime_s >= STEADY_AFTER_S:
            slot.failures = 0
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(slot.failures, 10))
        slot.failures += 1
        slot.due = now + pause
        self._log.say(f"{slot.spec.name} {describe_exit(status)}, starting it again in {pause:g} s")
        self._changed()

    def _restart(self, slot: _Slot) -> None:
        try:
            slot.child = Child(slot.spec, self._log)
        except (OSError, InpaintError) as error:
            # No process, no memory, a full disk: all may pass, and the other children are still to be looked after.
            slot.failures += 1
            slot.due = time.monotonic() + LONGEST_PAUSE_S
            self._log.say(f"{slot.spec.name} cannot be started ({error}), trying again in {LONGEST_PAUSE_S:g} s")
            return
        slot.restarts += 1
        slot.due = None
        self._changed()

    def _stop_stage(self, children: Sequence[Child]) -> None:
        waiting = [child for child in children if child.exit_status is None]
        for child in waiting:
            child.ask_to_stop()
        asked = time.monotonic()
        last_words = {child: child.spec.grace_s for child in waiting}
        while waiting:
            for child in waiting:
                if self._hurried() or time.monotonic() - asked > last_words[child]:
                    if not self._hurried():
                        self._log.say(f"{child.spec.name} did not stop within {last_words[child]:g} s, killing it")
                        last_words[child] = float("inf")
                    child.kill()
            time.sleep(0.01)
            waiting = [child for child in waiting if child.exit_status is None]

    def _slots(self) -> list[_Slot]:
        return [slot for stage in self._stages for slot in stage]

    def _slot(self, name: str) -> _Slot:
        for slot in self._slots():
            if slot.spec.name == name:
                return slot
        raise KeyError(name)

    def _changed(self) -> None:
        self._on_change(
            tuple(
                ChildRecord(
                    name=slot.spec.name,
                    process=slot.child.identity,
                    started_at=slot.child.started_at,
                    restarts=slot.restarts,
                    stop_signal=int(slot.spec.stop_signal),
                )
                for slot in self._slots()
            )
        )
