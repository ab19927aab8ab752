"""The web server as a part of the local stack."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not below pytest's own folder: root's Postgres has to reach it.
    folder = Path(tempfile.mkdtemp(prefix="inpaint-web-stack-"))
    folder.chmod(0o711)
    yield folder
    inpaint(folder, "down")
    shutil.rmtree(folder, ignore_errors=True)


def inpaint(data_dir: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "inpaint_fleet.cli", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "INPAINT_DATA_DIR": str(data_dir), "LANG": "C.UTF-8"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def await_answer(url: str) -> None:
    """Its children are started when a stack says that it is ready; they then load."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"{url}/healthz", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_up_serves_the_pages_and_links_lead_to_them(data_dir: Path) -> None:
    said = inpaint(data_dir, "up", "--detach", "--no-flower", "--web")
    addresses = dict(line.split("\t") for line in said.splitlines())
    url = addresses["Web"]
    await_answer(url)
    # Whoever types the next command at once finds a worker.
    workers = json.loads(inpaint(data_dir, "status", "--json"))["workers"]
    assert [(worker["model"], worker["state"]) for worker in workers] == [("opencv-telea", "ready")]
    link = inpaint(data_dir, "ratings", "link", "Ada").strip()
    assert link.startswith(f"{url}/enter/")
    with build_opener(HTTPCookieProcessor()).open(link, timeout=30) as page:
        assert "Hello, Ada" in page.read().decode()
    token = json.loads((data_dir / "private.json").read_text())["web_token"]
    with build_opener(HTTPCookieProcessor()).open(f"{url}/enter/{token}", timeout=30) as page:
        assert page.url == f"{url}/leaderboard"
    log = (data_dir / "logs" / "inpaint.log").read_text()
    assert "web_started" in log and token not in log and link.rpartition("/")[2] not in log
    inpaint(data_dir, "down")
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=5)
