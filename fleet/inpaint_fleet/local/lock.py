"""One stack per data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from inpaint_core.errors import StackError

from inpaint_fleet.local.folder import DataFolder, disk_errors


@contextlib.contextmanager
def hold_lock(folder: DataFolder) -> Iterator[None]:
    """Hold the folder for this process; `StackError` if another one does.

    The kernel drops the lock with the process, however it ends, so a lock is never stale. The file stays: deleting it
    would let two processes lock two files of the same name. It is close-on-exec: children do not inherit it.
    """
    with disk_errors(folder.root):
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise StackError(
                f"A stack already runs in {folder.root}{f' (process {pid})' if pid else ''}. See it with "
                "`inpaint status`, stop it with `inpaint down` (also to start it with other models), or choose another "
                "folder with --data-dir.",
                pid=int(pid) if pid.isdigit() else None,
                path=str(folder.root),
            ) from None
        with disk_errors(folder.root):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
