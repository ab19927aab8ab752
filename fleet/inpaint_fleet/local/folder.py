"""The data folder: where everything lies, files that only their owner reads, and what a full disk means."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inpaint_core.errors import DiskFull, StackError
from inpaint_core.settings import STACK_FILE

#: Below this the stack does not start: Postgres alone writes 50 MB before the first job.
MIN_FREE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths of one local stack. Everything in it is made for its owner alone."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the process that runs the stack."""
        return self.root / "lock"

    @property
    def stack_file(self) -> Path:
        """Addresses and passwords for clients; there only while the stack runs."""
        return self.root / STACK_FILE

    @property
    def private_file(self) -> Path:
        """Ports and passwords, generated once."""
        return self.root / "private.json"

    @property
    def state_file(self) -> Path:
        """What runs now."""
        return self.root / "state.json"

    @property
    def log_file(self) -> Path:
        """What all processes of the stack said."""
        return self.root / "logs" / "inpaint.log"

    @property
    def start_log(self) -> Path:
        """What a detached start said before it was ready."""
        return self.root / "logs" / "start.log"

    def prepare(self) -> None:
        """Make the folder; `DiskFull` or `StackError` if it cannot be used."""
        with disk_errors(self.root):
            private_folder(self.root)
            private_folder(self.log_file.parent)
        require_space(self.root)


def private_folder(path: Path) -> None:
    """Make a folder of mode 0700. One that exists already is left as it is: it may be somebody's home."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step. It has mode 0600 from its first byte on, so there is no moment to read it."""
    with disk_errors(path.parent):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds `path`, which need not exist yet."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path) -> None:
    """Raise `DiskFull` if the disk has too little room for a start."""
    free = free_bytes(path)
    if free < MIN_FREE_BYTES:
        raise disk_full(path, f"{free / 1e6:,.0f} MB are free, {MIN_FREE_BYTES / 1e6:,.0f} MB are needed")


def disk_full(path: Path, found: str) -> DiskFull:
    """The error that names the folder, and the two ways out."""
    return DiskFull(
        f"The disk of {path} is full ({found}). Free some space, or choose a folder on another disk with "
        "INPAINT_DATA_DIR.",
        path=str(path),
    )


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the file system refuses, in the fleet's words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder, error.strerror or "no space left") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise StackError(
                f"The data folder {folder} cannot be used: {error.strerror} ({error.filename}). Choose a folder of "
                "your own with --data-dir or INPAINT_DATA_DIR.",
                path=str(folder),
            ) from error
        raise
