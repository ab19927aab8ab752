"""The file that rows are kept in: a line each, on the disk before the next is begun."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inpaint_core.errors import InvalidRequest
from pydantic import ValidationError

from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row

ROWS = "rows.jsonl"
#: Packages of which another version makes what was measured with the old one something else.
_DECIDING = ("inpaint-fleet", "torch", "diffusers", "transformers")


class Journal:
    """The rows of one folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ROWS
        self.rows: list[Row] = list(self._read())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else measures into this folder meanwhile; `InvalidRequest` if somebody does."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InvalidRequest(
                    f"Another `inpaint bench gpu` is measuring into {self.path.parent}. Wait for it, or name another "
                    "folder with --out.",
                    field="out",
                ) from None
            self.rows = list(self._read())
            yield

    def append(self, row: Row) -> None:
        """Write it down, and return when the disk has it."""
        with self.path.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # cut off by the end of the machine
                    file.write(b"\n")
            file.write(row.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

    def last(self, order: Order, machine: Machine) -> Row | None:
        """The newest row of an order that was measured on such a machine, with such versions."""
        found = (row for row in reversed(self.rows) if row.order == order and _alike(row.machine, machine))
        return next(found, None)

    def newest(self) -> list[Row]:
        """Of each order on each machine the newest row, in the order in which they came first."""
        found: dict[tuple[Order, str], Row] = {}
        for row in self.rows:
            key = row.order, "" if row.machine is None else "/".join(_deciding(row.machine))
            found[key] = row
        return list(found.values())

    def _read(self) -> Iterator[Row]:
        if not self.path.is_file():
            return
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield Row.model_validate_json(line)
            except ValidationError as error:
                if number == len(lines):  # the machine ended while it was written
                    return
                first = error.errors()[0]
                if first["type"] == "json_invalid":  # as above, and something was written behind it
                    continue
                place = ".".join(map(str, first["loc"]))
                raise InvalidRequest(
                    f"Line {number} of {self.path} is no row of this version ({place}: {first['msg']}). Name another "
                    "folder with --out.",
                    field="out",
                ) from None


def _alike(one: Machine | None, other: Machine) -> bool:
    return one is not None and _deciding(one) == _deciding(other)


def _deciding(machine: Machine) -> tuple[str, ...]:
    return machine.device_kind, machine.device_name, *(machine.packages.get(name, "") for name in _DECIDING)
