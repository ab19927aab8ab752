"""A real browser on a real server: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn
from inpaint_core.settings import Settings
from inpaint_web.serving import server_config

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Where Debian and its kin put it.
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def until(page: Page, condition: str, patience_s: float = 30) -> None:
    """Wait until an expression is true in the page.

    Playwright's own way evaluates it inside the page, again and again, and that is forbidden by the page's policy.
    """
    deadline = time.monotonic() + patience_s
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def chromium() -> str | None:
    """Path of a Chromium on this machine."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class WebServer:
    """The web server as `inpaint web` has it, on a port of its own, in a thread: a process takes seconds to start."""

    def __init__(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same port."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        server = uvicorn.Server(server_config(self._settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        self._running = server, thread, listener
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it and wait."""
        if self._running is not None:
            server, thread, listener = self._running
            server.should_exit = True
            thread.join(30)
            listener.close()
            assert not thread.is_alive()
            self._running = None
