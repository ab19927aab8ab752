"""What the three servers have in common, and waiting for one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, Protocol

from inpaint_core.errors import DiskFull, StackError

from inpaint_fleet.local.child import Child, ChildSpec, describe_exit


class Server(Protocol):
    """A server of the local stack."""

    #: As its log lines are headed.
    name: ClassVar[str]
    #: As `Settings.SERVICES` calls it.
    service: ClassVar[str]

    @property
    def address(self) -> str:
        """host:port."""

    def spec(self) -> ChildSpec:
        """What runs; prepares files that it needs."""

    def answers(self) -> bool:
        """Whether it can be used now. Takes a second at most."""

    def settings(self) -> dict[str, str]:
        """The settings by which clients reach it."""


class Interrupted(Exception):
    """The stack was asked to stop before it was ready."""


def wait_ready(
    server: Server, child: Child, timeout_s: float = 30, interrupted: Callable[[], bool] = lambda: False
) -> None:
    """Return when the server answers; `StackError` with its last words if it ends or takes too long."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = child.exit_status
        if status is not None:
            raise start_failed(server.service, describe_exit(status), "\n".join(child.said))
        if server.answers():
            return
        if interrupted():
            raise Interrupted
        if time.monotonic() > deadline:
            raise start_failed(server.service, f"does not answer after {timeout_s:g} s", "\n".join(child.said))
        time.sleep(0.02)


def start_failed(service: str, what: str, said: str) -> StackError | DiskFull:
    """The error for a server that did not start, with what it said itself."""
    lines = said.strip().splitlines()[-5:]
    words = " It said: " + " / ".join(line.strip() for line in lines) if lines else ""
    if "No space left on device" in said:
        return DiskFull(f"{service} of the local stack did not start: the disk is full. Free some space.{words}")
    return StackError(f"{service} of the local stack {what}.{words}", service=service)
