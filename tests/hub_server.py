"""A stand-in for the Hugging Face hub: a real HTTP server on loopback with the few routes that a download needs."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_0123456789abcdefghijklmnopqrstuvwx"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BRANCH = "main"


@dataclass
class HubServer:
    """Repositories as {"OWNER/REPO": {path: bytes}}; what was asked for is in `asked`."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    #: Repositories whose licence has to be accepted. Their files are listed for everybody.
    gated: set[str] = field(default_factory=set)
    #: No byte of a file behind this one arrives, as when a connection breaks.
    cut_after: int | None = None
    #: So often, and then no more.
    cuts: int = 0
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def __enter__(self) -> HubServer:
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """For a process that takes this for the hub, with a cache and a home of its own."""
        port = self._server.server_address[1]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGING")) and not name.lower().endswith("_proxy")
        }
        return {**inherited, "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(home), "NO_PROXY": "*", **more}

    @property
    def files_asked(self) -> set[str]:
        """The files whose bytes were fetched."""
        return {
            path.split(f"/resolve/{COMMIT}/")[1]
            for path in self.asked
            if path.startswith("GET ") and "/resolve/" in path
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def _answer(self) -> None:
        hub, path = self.server_hub, unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        hub.tokens.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 6:
            self._listing("/".join(parts[2:4]), parts[4], parts[5])
        elif len(parts) > 4 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self._refuse(404, "EntryNotFound", "no such route")

    def _listing(self, repo: str, what: str, revision: str) -> None:
        files = self.server_hub.repos.get(repo)
        if files is None:
            self._refuse(401, "RepoNotFound", "Invalid username or password.")
        elif revision not in (BRANCH, COMMIT):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif what == "revision":
            self._json({"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]})
        else:
            self._json(
                [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()]
            )

    def _file(self, repo: str, name: str) -> None:
        hub = self.server_hub
        if repo in hub.gated and TOKEN not in self.headers.get("Authorization", ""):
            self._refuse(401, "GatedRepo", f"Access to model {repo} is restricted.")
            return
        data = hub.repos[repo].get(name)
        if data is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            hub.asked.append(f"RANGE {begin} {name}")
        cut_after = None
        if hub.cuts and hub.cut_after is not None and hub.cut_after < len(data) and self.command == "GET":
            hub.cuts, cut_after = hub.cuts - 1, max(hub.cut_after - begin, 0)
        self._send(206 if begin else 200, data[begin:], headers, cut_after)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(status, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message})

    def _json(self, found: object) -> None:
        self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut_after: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:cut_after])
        if cut_after is not None and cut_after < len(body):
            self.close_connection = True


def _oid(data: bytes) -> str:
    """As git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
