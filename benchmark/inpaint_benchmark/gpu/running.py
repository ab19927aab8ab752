"""Carrying out orders: what is missing, one process after the other, each row on the disk before the next is begun."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import DeviceTooSmall, InpaintError, OperatorError
from inpaint_core.settings import Settings

from inpaint_benchmark.gpu.child import Request
from inpaint_benchmark.gpu.children import Ending, run_child
from inpaint_benchmark.gpu.counts import NOT_YET, Counts, Shape, filled_in, is_uncounted
from inpaint_benchmark.gpu.estimating import Estimates
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row, checked
from inpaint_benchmark.gpu.scratch import complete_parts, prepare
from inpaint_benchmark.gpu.throughput import measure_throughput

#: What a call keeps of its time to write the report and to end.
_MARGIN_S = 8.0
#: Nothing is begun for less.
_LEAST_S = 2.0
#: Of a call, after which measuring deserves another.
_SHARE_OF_WRITING = 0.2
_WRITING = "Writing its random weights left too little of the time limit for measuring; the next call tries it again."
_DIED = "the process ended before it was measured"
LOG = "log.txt"
Servers = Callable[[], AbstractContextManager[Settings]]


@dataclass(slots=True)
class Run:
    """One call of the command."""

    journal: Journal
    #: For rows, times and the log.
    folder: Path
    #: Where random weights are written, or where the user's own lie.
    weights: Path
    #: For what is compiled.
    scratch: Path
    catalogue: Catalogue
    servers: Servers
    #: Gets a line on what is under way.
    told: Callable[[str], None]
    #: Called after each row.
    kept: Callable[[Row], None] = lambda _row: None
    time_limit_s: float | None = None
    keep_weights: bool = False
    #: Gets a sentence worth keeping on the screen.
    noted: Callable[[str], None] = lambda _sentence: None
    #: Rows that a whole call of this limit does not suffice for; known once `carry_out` has ended.
    too_long: list[Row] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _prefix: str = ""
    _written: set[str] = field(default_factory=set)
    _stack: ExitStack = field(default_factory=ExitStack)
    _settings: Settings | None = None
    _counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        """What is looked up in the figures, and else counted."""
        self._counts = Counts(self._count)

    def carry_out(self, orders: Sequence[Order], *, again: bool = False) -> list[Order]:
        """Measure what is missing, or all `again`; what was left because there was not time enough."""
        prepare(self.scratch, own=False)
        machine = self._machine(orders[0])
        missing = [order for order in orders if again or self._is_missing(order, machine)]
        if there := len(orders) - len(missing):
            rows = "1 row is" if there == 1 else f"{there} rows are"
            self.noted(f"{rows} there already, {len(missing) or 'none'} left; --again measures anew.")
        left = self._measure_all(missing, machine)
        left = left or self._count_all(orders, machine, whole_call=not missing)
        rows_of = [self.journal.last(order, machine) for order in orders if order not in left]
        self.too_long = [row for row in rows_of if row is not None and row.ended_by_limit_s is not None]
        return left

    def _is_missing(self, order: Order, machine: Machine) -> bool:
        """No row, or one that a shorter time limit ended."""
        row = self.journal.last(order, machine)
        if row is None or row.parts_before is not None:
            return True
        ended = row.ended_by_limit_s
        return ended is not None and (self.time_limit_s is None or self.time_limit_s > ended)

    def _measure_all(self, missing: Sequence[Order], machine: Machine) -> list[Order]:
        estimates = Estimates(self.folder / "times.json", self.journal.rows)
        with self._stack:
            for number, order in enumerate(missing):
                self._prefix = f"{number + 1} of {len(missing)}: {order.model}, {order.mode}, {order.what}"
                first = number == 0
                left_s = self._left_s()
                if left_s is not None and not first and max(_LEAST_S, estimates.of(order)) > left_s:
                    return list(missing[number:])
                row = self._row(order, machine, estimates, whole_call=first)
                if row is None:
                    return list(missing[number:])
                row = filled_in(row, self._counts.kept(row), NOT_YET)
                self.journal.append(row)
                estimates.note(order, row.wall_s)
                self.kept(row)
                if row.parts_before is not None:
                    return list(missing[number:])
                self._clear_weights(order, missing[number + 1 :])
        return []

    def _count_all(self, orders: Sequence[Order], machine: Machine, *, whole_call: bool) -> list[Order]:
        """What images compute that is not among the figures: last, since it needs no GPU."""
        uncounted = [
            (order, row)
            for order in orders
            if (row := self.journal.last(order, machine)) is not None and is_uncounted(row)
        ]
        for number, (order, row) in enumerate(uncounted):
            self._prefix = f"{number + 1} of {len(uncounted)}: {order.model}, {order.mode}, {order.what}"
            first = whole_call and number == 0
            left_s = self._left_s()
            if left_s is not None and left_s < _LEAST_S and not first:
                return [each for each, _ in uncounted[number:]]
            ending = self._counts.count(row)
            if ending is not None and ending.timed_out and not first:
                return [each for each, _ in uncounted[number:]]
            why = f"counting failed: {ending.failed}" if ending is not None and ending.failed else ""
            row = filled_in(row, self._counts.kept(row), why)
            self.journal.append(row)
            self.kept(row)
        return []

    def _left_s(self) -> float | None:
        if self.time_limit_s is None:
            return None
        return max(1.0, self.time_limit_s - _MARGIN_S - (time.monotonic() - self.began))

    def _machine(self, order: Order) -> Machine:
        # In a process of its own: this one is to hold nothing of the GPU's memory.
        self._prefix = "looking at this machine"
        ending = self._child("machine", order)
        if ending.failed is not None:
            raise OperatorError(f"This machine cannot be looked at. {ending.failed}")
        machine = Machine.model_validate(ending.found["machine"])
        if machine.device_kind != order.device:
            raise DeviceTooSmall(
                "torch finds no NVIDIA GPU on this machine. To see that everything works without one: "
                "inpaint bench gpu --tiny --device cpu"
            )
        return machine

    def _row(self, order: Order, machine: Machine, estimates: Estimates, *, whole_call: bool) -> Row | None:
        """The row of an order; None if a whole call may suffice where the rest of this one did not."""
        begun_at, began = datetime.now(UTC), time.monotonic()
        parts = complete_parts(self.catalogue.card(order.model), self.weights)
        written = self._write(order)
        ending = written
        if written is None or written.failed is None:
            ending = self._measure(order)
        assert ending is not None  # noqa: S101  (one of both)
        again = ending.timed_out and not self._had_all_of_it(written)
        if ending.timed_out and not whole_call:
            estimates.note(order, time.monotonic() - began)
            return None
        # Weights that have to be written anew each time would be the reason for ever.
        again = again and not self._was_in_vain(order, machine, parts)
        wall_s = time.monotonic() - began
        found = dict(ending.found)
        fields: dict[str, Any] = {
            name: found.pop(name) for name in ("runtime", "parameters", "painted", "machine") if name in found
        }
        measured, wrong = checked(order.what, found, _DIED)
        return Row(
            order=order,
            begun_at=begun_at,
            wall_s=wall_s,
            write_s=None if written is None else written.wall_s,
            failed=_WRITING if again else ending.failed or wrong,
            ended_by_limit_s=self.time_limit_s if ending.timed_out else None,
            parts_before=parts if again else None,
            machine=machine,
            measured=measured,
            **{name: value for name, value in fields.items() if name != "machine"},
        )

    def _had_all_of_it(self, written: Ending | None) -> bool:
        """Whether measuring had nearly the whole call: what was written before it is there in the next."""
        if written is None:
            return True
        return not written.timed_out and written.wall_s < _SHARE_OF_WRITING * (self.time_limit_s or 0)

    def _was_in_vain(self, order: Order, machine: Machine, parts: int) -> bool:
        """Whether a call as long as this one has ended before the row did, and left nothing that this one found."""
        row = self.journal.last(order, machine)
        if row is None or row.parts_before is None:
            return False
        return parts <= row.parts_before and (self.time_limit_s or 0) <= (row.ended_by_limit_s or 0)

    def _write(self, order: Order) -> Ending | None:
        """Random weights, if this call has not looked after them yet; those that are there are kept."""
        if order.weights == "real" or order.model in self._written:
            return None
        self.weights.mkdir(parents=True, exist_ok=True)
        self._tell("writing random weights")
        ending = self._child("write", order)
        if ending.failed is None:
            self._written.add(order.model)
        return ending

    def _measure(self, order: Order) -> Ending:
        if order.what != "throughput":
            return self._child("measure", order)
        if self._settings is None:
            self._tell("starting Redis, Postgres and S3")
            try:
                self._settings = self._stack.enter_context(self.servers())
            except InpaintError as error:
                return Ending(failed=error.message)
        request = self._request("measure", order)
        return measure_throughput(request, self._settings, self._tell, self._log, self.scratch, self._left_s)

    def _count(self, order: Order, shapes: tuple[Shape, ...]) -> Ending:
        self._tell("counting what an image computes")
        return self._child("count", order, shapes)

    def _clear_weights(self, order: Order, later: Sequence[Order]) -> None:
        """Remove the random weights that no later order reads: all models together would need hundreds of GB."""
        if order.weights == "real" or self.keep_weights:
            return
        cards = self.catalogue
        needed = {each.repo for one in later for each in cards.card(one.model).weights.values()}
        if any(one.model == order.model for one in later):
            return
        self._written.discard(order.model)
        for each in cards.card(order.model).weights.values():
            if each.repo not in needed:
                shutil.rmtree(self.weights / each.repo, ignore_errors=True)
                with contextlib.suppress(OSError):  # others of the same owner may be needed
                    (self.weights / each.repo).parent.rmdir()

    def _request(self, task: Any, order: Order, painted: tuple[tuple[int, int], ...] = ()) -> Request:
        return Request(task=task, order=order, weights=self.weights, parent=os.getpid(), painted=painted)

    def _child(self, task: Any, order: Order, painted: tuple[Shape, ...] = ()) -> Ending:
        request = self._request(task, order, painted)
        return run_child(request, self._tell, self._log, self.scratch, timeout_s=self._left_s())

    @property
    def _log(self) -> Path:
        return self.folder / LOG

    def _tell(self, text: str) -> None:
        self.told(f"{self._prefix}: {text}")
