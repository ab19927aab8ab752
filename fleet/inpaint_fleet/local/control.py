"""A local stack seen from another process: is it there, start it in the background, stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from inpaint_core.errors import StackError

from inpaint_fleet.local.folder import DataFolder, disk_errors
from inpaint_fleet.local.lock import hold_lock
from inpaint_fleet.local.private import read_private
from inpaint_fleet.local.state import StackRecord, end_orphans, read_record, tail


@dataclass(frozen=True, slots=True)
class ChildState:
    """One child of a stack."""

    name: str
    pid: int
    #: False in the pause before a restart, or when its supervisor was killed and took it along.
    alive: bool
    restarts: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack as it is now. Not running and not empty: its supervisor was killed, and the next start cleans up."""

    running: bool
    ready: bool = False
    supervisor_pid: int | None = None
    started_at: datetime | None = None
    #: Redis, Postgres and S3 to host:port, Flower and Web to their URLs.
    addresses: dict[str, str] = field(default_factory=dict)
    children: tuple[ChildState, ...] = ()


def state(data_dir: Path) -> StackState:
    """What runs in this folder."""
    record = read_record(_folder(data_dir))
    if record is None:
        return StackState(running=False)
    running = record.supervisor.alive()
    return StackState(
        running=running,
        ready=running and record.ready,
        supervisor_pid=record.supervisor.pid,
        started_at=record.started_at,
        addresses=record.addresses,
        children=tuple(
            ChildState(child.name, child.process.pid, child.process.alive(), child.restarts, child.started_at)
            for child in record.children
        ),
    )


def flower_login(data_dir: Path) -> tuple[str, str] | None:
    """User and password of this folder's Flower; None before the first start."""
    private = read_private(_folder(data_dir))
    return (private.flower_user, private.flower_password) if private else None


def start_detached(
    data_dir: Path,
    models: Sequence[str],
    *,
    flower: bool = False,
    web: bool = False,
    timeout_s: float = 120,
    command: Sequence[str] | None = None,
) -> StackState:
    """Start a stack that outlives this process, and wait until it is ready.

    `StackError` with its last words if it ends before that, or is not ready in time (it is stopped then).
    """
    folder = _folder(data_dir)
    folder.prepare()
    with hold_lock(folder):
        pass  # Refused here, where somebody reads it, if a stack runs already.
    command = command or _up_command(folder, models, flower, web)
    with disk_errors(folder.root):
        output = os.open(folder.start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    finally:
        os.close(output)
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        now = state(folder.root)
        if now.ready and now.supervisor_pid == process.pid:
            # It lives on without this process, which must not complain at its end that it never waited for it.
            process.returncode = 0
            return now
        if time.monotonic() > deadline:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            raise StackError(f"The stack was not ready after {timeout_s:g} s and was stopped.{_last_words(folder)}")
        time.sleep(0.05)
    raise StackError(f"The stack ended with status {process.returncode} before it was ready.{_last_words(folder)}")


def stop(data_dir: Path, timeout_s: float = 120) -> bool:
    """Stop the stack of this folder and wait; False if there was none. `StackError` if it takes too long."""
    folder = _folder(data_dir)
    record = read_record(folder)
    if record is None:
        return False
    if not record.supervisor.alive():
        return _clean_up_after(folder, record)
    record.supervisor.signal(signal.SIGTERM)
    if not record.supervisor.wait(timeout_s):
        raise StackError(
            f"The stack in {folder.root} (process {record.supervisor.pid}) is still stopping after {timeout_s:g} s: a "
            "worker may be finishing its job. Wait, or run `inpaint down` again to stop at once.",
            pid=record.supervisor.pid,
        )
    return True


def _clean_up_after(folder: DataFolder, record: StackRecord) -> bool:
    """End what a killed supervisor left, under its lock; whether anything was left."""
    with hold_lock(folder):
        ended = end_orphans(record.children)
        folder.stack_file.unlink(missing_ok=True)
        folder.state_file.unlink(missing_ok=True)
    return bool(ended)


def _up_command(folder: DataFolder, models: Sequence[str], flower: bool, web: bool) -> list[str]:
    command = [sys.executable, "-m", "inpaint_fleet.cli", "up", "--data-dir", str(folder.root), "--no-echo"]
    for model in models:
        command += ["--model", model]
    return [*command, "--flower" if flower else "--no-flower", "--web" if web else "--no-web"]


def _last_words(folder: DataFolder) -> str:
    said = tail(folder.start_log) or tail(folder.log_file)
    return f" It said:\n{said}" if said else ""


def _folder(data_dir: Path) -> DataFolder:
    return DataFolder(data_dir.expanduser().absolute())
