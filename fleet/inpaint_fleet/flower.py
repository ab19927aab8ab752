"""Flower over the fleet's queues: to look at, not to touch, behind a password, without prompts.

It runs in this process, so that neither the broker's password nor its own stands among the arguments that `ps` shows.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inpaint_core.errors import MissingExtra, SettingsInvalid, StackError
from inpaint_core.log import get_logger
from inpaint_core.queues import broker_errors, connect_redis, make_celery
from inpaint_core.settings import PREFIX, Settings

#: Newest first on the page of tasks. No args, kwargs or result: a tool that sends whole requests would show prompts.
TASK_COLUMNS = "name,uuid,state,received,started,runtime,worker"
_HIDDEN = "(hidden)"
#: Tasks that Flower remembers; it forgets all of them at a restart. The history is in Postgres.
_MAX_TASKS = 20_000
log = get_logger("inpaint.flower")


@dataclass(frozen=True, slots=True)
class FlowerSettings:
    """Where Flower listens, and who may look. `login` is user:password; None: anybody."""

    port: int = 5555
    address: str = "127.0.0.1"
    login: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, *, no_auth: bool = False) -> FlowerSettings:
        """From INPAINT_FLOWER_PORT, _ADDRESS and _BASIC_AUTH; `SettingsInvalid` says what is wrong."""
        environment = os.environ if environment is None else environment
        login = environment.get(PREFIX + "FLOWER_BASIC_AUTH") or None
        if no_auth:
            login = None
        elif login is None:
            raise SettingsInvalid(
                f"{PREFIX}FLOWER_BASIC_AUTH is not set. Flower shows every job to whoever reaches it: set a "
                "user:password, or give --no-auth on a network that you trust."
            )
        elif not all(login.partition(":")) or "," in login:
            raise SettingsInvalid(f"{PREFIX}FLOWER_BASIC_AUTH must be user:password, without a comma.")
        text = environment.get(PREFIX + "FLOWER_PORT") or "5555"
        if not text.isdigit() or not 0 < int(text) < 65_536:
            raise SettingsInvalid(f"{PREFIX}FLOWER_PORT is {text!r}; it must be a port from 1 to 65535.")
        return cls(int(text), environment.get(PREFIX + "FLOWER_ADDRESS") or "127.0.0.1", login)


def installed() -> bool:
    """Whether the package is there: where it is, the local stack runs it unless told otherwise."""
    return importlib.util.find_spec("flower") is not None


def serve(settings: Settings, models: Mapping[str, object], where: FlowerSettings) -> None:
    """Run Flower until SIGTERM or SIGINT."""
    try:
        from flower.app import Flower  # type: ignore[import-untyped]
        from flower.inspector import Inspector  # type: ignore[import-untyped]
        from flower.urls import settings as handlers_settings  # type: ignore[import-untyped]
        from tornado.options import options
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise MissingExtra(
            f'Flower needs {package}, which is not installed. Run: pip install "inpaint-fleet[flower]"',
            extra="flower",
        ) from error

    class DiscreetInspector(Inspector):  # type: ignore[misc]  # no types
        """What workers answer when asked, without arguments."""

        def _on_update(self, workername: str, method: str, response: Any) -> None:
            super()._on_update(workername, method, without_arguments(response))

    # Flower would wait for ever for a Redis that is away, and show an empty page meanwhile.
    with broker_errors(settings), connect_redis(settings) as redis:
        redis.ping()
    values = {
        "port": where.port,
        "address": where.address,
        "basic_auth": [where.login] if where.login else [],
        "read_only": True,
        "persistent": False,
        "max_tasks": _MAX_TASKS,
        "purge_offline_workers": 3600,
        "tasks_columns": TASK_COLUMNS,
    }
    for name, value in values.items():
        setattr(options, name, value)
    _quieten()
    app = make_celery(settings, models)
    flower = Flower(capp=app, options=options, **handlers_settings)
    flower.inspector = DiscreetInspector(flower.io_loop, app, options.inspect_timeout / 1000)
    # Hidden before Flower remembers them: its pages, its API and its search know of no arguments then.
    remember = flower.events.on_event
    flower.events.on_event = lambda event: remember(without_arguments(event))
    try:
        port = flower.start_http_server()
    except OSError as error:
        raise StackError(
            f"Flower cannot listen on {where.address}:{where.port}: {error.strerror or error}. Choose another port "
            f"with {PREFIX}FLOWER_PORT, or stop what listens there."
        ) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: flower.io_loop.add_callback_from_signal(flower.io_loop.stop))
    log.info("flower_started", url=f"http://{where.address}:{port}", auth=where.login is not None)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        flower.start()
    flower.stop()
    log.info("flower_stopped")


def without_arguments(response: Any) -> Any:
    """What a worker says of its tasks, with their arguments hidden, however deep they lie: they may hold a prompt."""
    if isinstance(response, list):
        return [without_arguments(item) for item in response]
    if isinstance(response, dict):
        return {
            key: _HIDDEN if key in ("args", "kwargs", "argsrepr", "kwargsrepr") else without_arguments(value)
            for key, value in response.items()
        }
    return response


def _quieten() -> None:
    # Every request, and a line per unanswered question to workers that run none of Flower's commands.
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    logging.getLogger("flower.inspector").setLevel(logging.ERROR)
