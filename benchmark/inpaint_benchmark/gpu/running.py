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
from inpaint_benchmark.gpu.counts import Counts, Shape
from inpaint_benchmark.gpu.estimating import Estimates
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row, measured_of
from inpaint_benchmark.gpu.throughput import measure_throughput

#: What a call keeps of its time to write the report and to end.
_MARGIN_S = 5.0
_LEAST_COUNTING_S = 60.0
#: Of a call, after which measuring deserves another.
_SHARE_OF_WRITING = 0.2
_DIED = "the process ended before it was measured"
_TINY = "tiny weights are not counted: they are no model of anybody"
Servers = Callable[[], AbstractContextManager[Settings]]


@dataclass(slots=True)
class Run:
    """One call of the command."""

    journal: Journal
    #: For weights, logs and counts.
    folder: Path
    #: Where random weights are written, or where the user's own lie.
    weights: Path
    catalogue: Catalogue
    servers: Servers
    #: Gets a line on what is under way.
    told: Callable[[str], None]
    #: Called after each row.
    kept: Callable[[Row], None] = lambda _row: None
    time_limit_s: float | None = None
    keep_weights: bool = False
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
        machine = self._machine(orders[0])
        missing = [order for order in orders if again or self.journal.last(order, machine) is None]
        estimates = Estimates(self.folder / "times.json", self.journal.rows)
        with self._stack:
            for number, order in enumerate(missing):
                self._prefix = f"{number + 1} of {len(missing)}: {order.model}, {order.mode}, {order.what}"
                first = number == 0
                left_s = self._left_s()
                if left_s is not None and not first and estimates.of(order) > left_s:
                    return missing[number:]
                row = self._row(order, machine, estimates, whole_call=first)
                if row is None:
                    return missing[number:]
                self.journal.append(row)
                estimates.note(order, row.wall_s)
                self.kept(row)
                self._clear_weights(order, missing[number + 1 :])
        return []

    def _left_s(self) -> float | None:
        if self.time_limit_s is None:
            return None
        return max(1.0, self.time_limit_s - _MARGIN_S - (time.monotonic() - self.began))

    def _machine(self, order: Order) -> Machine:
        # In a process of its own: this one is to hold nothing of the GPU's memory.
        self._prefix = "looking at this machine"
        ending = run_child(self._request("machine", order), self._tell, self._log(order))
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
        written = self._write(order)
        ending = written
        if written is None or written.failed is None:
            ending = self._measure(order)
        assert ending is not None  # noqa: S101  (one of both)
        if ending.timed_out and not (whole_call and self._had_all_of_it(written)):
            estimates.note(order, time.monotonic() - began)
            return None
        found = dict(ending.found)
        fields: dict[str, Any] = {
            name: found.pop(name) for name in ("runtime", "parameters", "painted", "machine") if name in found
        }
        if ending.failed is None:
            self._fill_in(order, found, fields)
        return Row(
            order=order,
            begun_at=begun_at,
            wall_s=time.monotonic() - began,
            write_s=None if written is None else written.wall_s,
            failed=ending.failed,
            machine=machine,
            measured=measured_of(order.what, found, _DIED),
            **{name: value for name, value in fields.items() if name != "machine"},
        )

    def _had_all_of_it(self, written: Ending | None) -> bool:
        """Whether measuring had nearly the whole call: what was written before it is there in the next."""
        if written is None:
            return True
        return not written.timed_out and written.wall_s < _SHARE_OF_WRITING * (self.time_limit_s or 0)

    def _write(self, order: Order) -> Ending | None:
        """Random weights, if this call has not looked after them yet; those that are there are kept."""
        if order.weights == "real" or order.model in self._written:
            return None
        self.weights.mkdir(parents=True, exist_ok=True)
        self._tell("writing random weights")
        ending = run_child(self._request("write", order), self._tell, self._log(order), timeout_s=self._left_s())
        if ending.failed is None:
            self._written.add(order.model)
        return ending

    def _measure(self, order: Order) -> Ending:
        request, log = self._request("measure", order), self._log(order)
        if order.what != "throughput":
            return run_child(request, self._tell, log, timeout_s=self._left_s())
        if self._settings is None:
            self._tell("starting Redis, Postgres and S3")
            try:
                self._settings = self._stack.enter_context(self.servers())
            except InpaintError as error:
                return Ending(failed=error.message)
        return measure_throughput(request, self._settings, self._tell, log, self._left_s())

    def _fill_in(self, order: Order, found: dict[str, Any], fields: dict[str, Any]) -> None:
        """What an image computes, beside what was measured."""
        if order.what == "throughput":
            return
        unknown = found.setdefault("unknown", {})
        cases = found.get("cases", [])
        shapes: list[Shape] = [(w, h) for case in cases for w, h in case["windows"]]
        painted: list[Shape] = [(w, h) for w, h in fields.get("painted", [])]
        counts: dict[Shape, dict[str, Any]] = {}
        reason = _TINY
        if not order.tiny:
            counts, reason = self._counts.of(order, fields.get("parameters", {}), shapes or painted)
        for case in cases:
            parts = [counts.get((w, h)) for w, h in case["windows"]]
            case["tflop"] = sum(part["tflop"] for part in parts if part) if all(parts) else None
            if not all(parts):
                unknown["cases.tflop"] = reason
        if order.what == "seconds":
            # Whole pictures have one window.
            if counted := counts.get(painted[0]):
                found |= counted
            else:
                unknown |= {"tflop": reason, "tflop_of": reason}

    def _count(self, order: Order, shapes: tuple[Shape, ...]) -> Ending:
        self._tell("counting what an image computes")
        # A row is not to lack it because its call was nearly over.
        timeout_s = None if (left_s := self._left_s()) is None else max(left_s, _LEAST_COUNTING_S)
        return run_child(self._request("count", order, shapes), self._tell, self._log(order), timeout_s=timeout_s)

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

    def _log(self, order: Order) -> Path:
        mode = "".join(letter if letter.isalnum() or letter in "+-" else "-" for letter in order.mode)
        return self.folder / "logs" / f"{order.model}-{mode}-{order.what}.log"

    def _tell(self, text: str) -> None:
        self.told(f"{self._prefix}: {text}")
