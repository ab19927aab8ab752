"""The whole fleet on one machine: servers, schema, relay, workers, pages and Flower, until it is told to stop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import PREFIX, Settings
from inpaint_core.tiers import Tier

from inpaint_fleet import web as web_server
from inpaint_fleet.local.child import ChildSpec
from inpaint_fleet.local.server import Interrupted
from inpaint_fleet.local.servers import LocalServers
from inpaint_fleet.local.stop_signals import StopSignals

#: A worker may need so long after `grace_s` to store what is nearly done, and to hand back what is not.
_WORKER_MARGIN_S = 20.0
_INPAINT = (sys.executable, "-m", "inpaint_fleet.cli")


@dataclass(frozen=True, slots=True)
class Commands:
    """How the fleet's own processes are started. A worker's command gets its model at the end."""

    relay: tuple[str, ...] = (*_INPAINT, "relay")
    worker: tuple[str, ...] = (*_INPAINT, "worker")
    flower: tuple[str, ...] = (*_INPAINT, "flower")
    web: tuple[str, ...] = (*_INPAINT, "web")


def _migrate(settings: Settings) -> None:
    # Here and not above: `inpaint status` and the tests of the servers need no Alembic.
    from inpaint_db.migrate import upgrade

    upgrade(settings)


class LocalStack:
    """A stack in one data folder: one relay, one worker per model, and the web server and Flower if wanted."""

    def __init__(
        self,
        data_dir: Path,
        models: Sequence[str],
        *,
        flower: bool = False,
        web: bool = False,
        echo: TextIO | None = None,
        commands: Commands | None = None,
        migrate: Callable[[Settings], object] = _migrate,
    ) -> None:
        self._data_dir = data_dir
        self._models = tuple(dict.fromkeys(models))
        self._flower = flower
        self._web = web
        self._echo = echo
        self._commands = commands or Commands()
        self._migrate = migrate

    def run(self, on_ready: Callable[[Settings], object] = lambda _: None) -> None:
        """Run until SIGINT or SIGTERM, in the foreground and in the main thread; then stop everything in order.

        `on_ready` is called once all children are started. Raises `StackError`, `DiskFull`, `MissingExtra` or what a
        configured service of the user's own answers, and leaves no process behind.
        """
        with StopSignals() as signals:
            servers = LocalServers(
                self._data_dir, use_configured=True, echo=self._echo, interrupted=signals.stop, hurried=signals.hurry
            )
            began = time.monotonic()
            try:
                settings = servers.start()
            except Interrupted:
                return
            try:
                self._migrate(settings)
                if not signals.stop():
                    self._start_children(servers, settings)
                    servers.announce({}, ready=True)
                    servers.log.say(
                        f"ready after {time.monotonic() - began:.1f} s; stop it with Ctrl-C or `inpaint down`"
                    )
                    on_ready(settings)
                servers.supervisor.watch(until=signals.stop)
                servers.log.say("stopping; once more to stop at once")
            finally:
                self._stop(servers)

    def _start_children(self, servers: LocalServers, settings: Settings) -> None:
        add = servers.supervisor.add
        environment = {
            **os.environ,
            PREFIX + "DATA_DIR": str(servers.folder.root),
            # Their output is a pipe here, and Python would keep lines back until it has 8 kB of them.
            "PYTHONUNBUFFERED": "1",
        }
        if self._flower:
            private = servers.private
            login = {
                PREFIX + "FLOWER_PORT": str(private.flower_port),
                PREFIX + "FLOWER_BASIC_AUTH": f"{private.flower_user}:{private.flower_password}",
            }
            add(ChildSpec("flower", self._commands.flower, environment | login))
            servers.announce({"Flower": f"http://127.0.0.1:{private.flower_port}"})
        if self._web:
            # In the file that clients read: links are made by other processes, and lead to this one.
            values = web_server.stack_settings(settings, servers.private)
            servers.publish(values)
            told = {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}
            add(ChildSpec("web", self._commands.web, environment | told))
            servers.announce({"Web": str(values["web_url"])})
        add(ChildSpec("relay", self._commands.relay, environment))
        if self._models:
            add(*(self._worker(model, environment, servers, settings) for model in self._models))

    def _worker(self, model: str, environment: dict[str, str], servers: LocalServers, settings: Settings) -> ChildSpec:
        command = (*self._commands.worker, model)
        card = load_catalogue(settings.catalogue).get(model)
        # One setting for workers of several models, of which one that lacks the tier would not start.
        if card is not None and settings.tier is not Tier.EXACT and settings.tier not in card.tiers:
            servers.log.say(f"{model} has no tier {settings.tier}: its worker runs in exact what names none")
            environment = environment | {PREFIX + "TIER": Tier.EXACT.value}
        return ChildSpec(f"worker {model}", command, environment, grace_s=settings.grace_s + _WORKER_MARGIN_S)

    @staticmethod
    def _stop(servers: LocalServers) -> None:
        began = time.monotonic()
        servers.supervisor.stop()
        servers.log.say(f"stopped after {time.monotonic() - began:.1f} s")
        servers.stop()
