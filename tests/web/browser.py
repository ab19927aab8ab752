"""A real browser on a real server: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

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
    """`inpaint web` as a process of its own."""

    def __init__(self, environment: Mapping[str, str], log: Path, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._environment = {**environment, "INPAINT_WEB_PORT": str(self.port), **variables}
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same port."""
        command = [sys.executable, "-m", "inpaint_fleet.cli", "web"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, env=self._environment, stdout=output, stderr=output)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urlopen(f"{self.url}/healthz", timeout=2):
                    return
            except OSError:
                assert self._process.poll() is None, self.log.read_text()
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        """Stop it and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
