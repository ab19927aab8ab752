"""The servers of the local stack, started and stopped together: also what integration tests run against.

with LocalServers(folder) as settings:
    S3Store(settings).put(...)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TextIO

from inpaint_core.errors import InpaintError
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, address, load_settings

from inpaint_fleet.local import private, stack_file, state
from inpaint_fleet.local.child import Child
from inpaint_fleet.local.folder import DataFolder, disk_errors
from inpaint_fleet.local.lock import hold_lock
from inpaint_fleet.local.postgres import PostgresServer
from inpaint_fleet.local.redis import RedisServer
from inpaint_fleet.local.s3 import S3Server
from inpaint_fleet.local.server import Server, wait_ready
from inpaint_fleet.local.stacklog import StackLog
from inpaint_fleet.local.supervisor import Supervisor

#: In the order in which they start; they stop in the opposite one.
SERVERS: tuple[type[PostgresServer] | type[RedisServer] | type[S3Server], ...] = (PostgresServer, RedisServer, S3Server)


class LocalServers:
    """Redis, Postgres and S3 on loopback, with their data in one folder. Enter it from the main thread.

    The bucket exists once it is entered; the database is empty. `use_configured` leaves out the servers for which the
    environment or the configuration file names one of the user's own.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        use_configured: bool = False,
        echo: TextIO | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder = DataFolder(data_dir.expanduser().absolute())
        self.log = StackLog(self.folder.log_file, echo)
        self.supervisor = Supervisor(self.log, on_change=self._record_children, hurried=hurried)
        self.private = private.Private()
        self._servers: dict[str, Server] = {}
        self._published: dict[str, str | int] = {}
        self._use_configured = use_configured
        self._interrupted = interrupted
        self._record = state.new_record()
        self._write_failed = False
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Settings:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_s: float = 60) -> Settings:
        """Start the servers and wait for them; the settings that lead to them. Leaves nothing behind if it fails."""
        self.folder.prepare()
        self._cleanup.enter_context(hold_lock(self.folder))
        try:
            return self._start(timeout_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything that the supervisor holds. Data, ports and passwords stay."""
        self.supervisor.stop()
        self._cleanup.close()

    def announce(self, addresses: Mapping[str, str], *, ready: bool = False) -> None:
        """Add to what `inpaint status` shows."""
        merged = self._record.addresses | dict(addresses)
        self._write_record(replace(self._record, addresses=merged, ready=ready or self._record.ready))

    def publish(self, values: Mapping[str, str | int]) -> None:
        """Add settings to what clients on this machine read."""
        self._published |= values
        stack_file.write_stack_file(self.folder, self._published)

    # For tests of what happens without one of them.

    def stop_server(self, name: str, *, kill: bool = False) -> None:
        """Stop redis, postgres or s3, cleanly or with SIGKILL."""
        self.supervisor.stop_child(name, kill=kill)

    def start_server(self, name: str, timeout_s: float = 30) -> Child:
        """Start it again on its old port, over its old data, and wait for it."""
        child = self.supervisor.start_child(name)
        wait_ready(self._servers[name], child, timeout_s, self._interrupted)
        return child

    def _start(self, timeout_s: float) -> Settings:
        # Closed last to first: after the children, the files that tell of them; then the log; the lock at the very end.
        self._cleanup.callback(self.log.close)
        left = state.read_record(self.folder)
        ended = state.end_orphans(left.children) if left else []
        if ended:
            self.log.say(f"ended what an earlier stack that was killed had left running: {', '.join(ended)}")
        stack_file.remove_stack_file(self.folder)
        self._cleanup.callback(self._remove_traces)
        # Without the stack file, these are the settings of the environment and the configuration file.
        configured = load_settings(data_dir=self.folder.root)
        self._write_record(self._record)
        self.private = private.read_private(self.folder) or self.private
        self.private.choose_ports()
        private.write_private_file(self.folder, self.private)

        for kind in SERVERS:
            if self._is_own(configured, kind.service):
                self._servers[kind.name] = kind(self.folder, self.private)
        children = {name: self.supervisor.add(server.spec())[0] for name, server in self._servers.items()}
        for name, server in self._servers.items():
            wait_ready(server, children[name], timeout_s, self._interrupted)
            self.log.say(f"{server.service} answers at {server.address}")

        values = {key: value for server in self._servers.values() for key, value in server.settings().items()}
        values["s3_bucket"] = configured.s3_bucket
        settings = load_settings(data_dir=self.folder.root, **values)
        S3Store(settings).ensure_bucket()
        self.publish(values)
        self.announce(_addresses(settings))
        return settings

    def _is_own(self, configured: Settings, service: str) -> bool:
        """Whether this stack runs the service itself."""
        if not self._use_configured:
            return True
        names = Settings.SERVICES[service]
        if all(getattr(configured, name) is None for name in names):
            return True
        # Half a configuration is a mistake, and a server started beside it would hide that.
        configured.need(service)
        self.log.say(f"{service} is configured already, so none is started")
        return False

    def _remove_traces(self) -> None:
        for path in (self.folder.stack_file, self.folder.state_file):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _record_children(self, children: tuple[state.ChildRecord, ...]) -> None:
        self._write_record(replace(self._record, children=children))

    def _write_record(self, record: state.StackRecord) -> None:
        self._record = record
        try:
            with disk_errors(self.folder.root):
                state.write_record(self.folder, record)
        except (InpaintError, OSError) as error:
            # A stack that runs is not stopped because that cannot be written down, and it is said only once.
            if not self._write_failed:
                self.log.say(f"cannot write {self.folder.state_file}: {error}")
            self._write_failed = True
        else:
            self._write_failed = False


def _addresses(settings: Settings) -> dict[str, str]:
    assert settings.redis_url and settings.postgres_url and settings.s3_url  # noqa: S101  (started or configured)
    return {
        "Redis": address(settings.redis_url.get_secret_value()),
        "Postgres": address(settings.postgres_url.get_secret_value()),
        "S3": address(settings.s3_url),
    }
