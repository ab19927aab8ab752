"""What `inpaint doctor` asks about this machine and its local stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inpaint_core.errors import InpaintError

from inpaint_fleet.local import account, control, programs
from inpaint_fleet.local.folder import MIN_FREE_BYTES, free_bytes


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    #: What was found, or what is wrong and what to do.
    found: str


def check_local(data_dir: Path) -> Iterator[Check]:
    """All of them."""
    yield from check_programs()
    yield check_postgres_account(data_dir)
    yield check_disk(data_dir)
    yield check_stack(data_dir)


def check_programs() -> Iterator[Check]:
    """Whether the servers of the `local` extra are installed and run on this machine."""
    yield _tried("redis-server", lambda: _version(programs.redis_server()))
    yield _tried("postgres", lambda: ", ".join(_version(path / "bin" / "postgres") for path in _installs()))
    yield _tried("rclone", lambda: _version(programs.rclone()))


def check_postgres_account(data_dir: Path) -> Check:
    """Whether Postgres has an account to run under, and can be reached by it."""

    def found() -> str:
        name = account.postgres_account(data_dir / "postgres" / "data")
        if name is None:
            return "runs as you"
        for install in _installs():
            account.reachable_install(install, name)
        return f"runs as {name}, because it refuses to run as root"

    return _tried("postgres account", found)


def check_disk(data_dir: Path) -> Check:
    """Whether the disk has room, and the folder can be written to."""
    free = free_bytes(data_dir)
    nearest = data_dir
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Check("data folder", False, f"{data_dir} cannot be written to: choose another with INPAINT_DATA_DIR")
    found = f"{data_dir}, {free / 1e9:,.1f} GB free"
    if free < MIN_FREE_BYTES:
        return Check("data folder", False, f"{found}: free some space, {MIN_FREE_BYTES / 1e6:,.0f} MB are needed")
    return Check("data folder", True, found)


def check_stack(data_dir: Path) -> Check:
    """Whether a stack runs here, and all of its children."""
    now = control.state(data_dir)
    if not now.running:
        return Check("local stack", True, "not running; start it with `inpaint up`")
    down = [child.name for child in now.children if not child.alive]
    if down:
        return Check("local stack", False, f"running, but not {', '.join(down)}: see {data_dir / 'logs/inpaint.log'}")
    restarts = sum(child.restarts for child in now.children)
    return Check("local stack", True, f"running, process {now.supervisor_pid}, {restarts} restarts of its children")


def _installs() -> list[Path]:
    found = programs.postgres_installs()
    return [found[max(found)]]


def _version(program: Path) -> str:
    version = programs.version(program)
    if not version:
        raise InpaintError(f"{program} does not run on this machine: its wheel is for another system")
    return version


def _tried(name: str, found: Callable[[], str]) -> Check:
    try:
        return Check(name, True, found())
    except InpaintError as error:
        return Check(name, False, error.message)
