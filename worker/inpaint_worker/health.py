"""/healthz and /readyz for Kubernetes and compose: does the process live, and does it take jobs?"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from inpaint_core.errors import OperatorError
from inpaint_core.settings import Settings


class HealthServer:
    """Two pages on a port of their own. They show nothing of jobs."""

    def __init__(self, settings: Settings, alive: Callable[[], bool], ready: Callable[[], bool]) -> None:
        pages = {"/healthz": alive, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                page = pages.get(self.path)
                good = page is not None and page()
                body = json.dumps({"ok": good}).encode()
                self.send_response(404 if page is None else 200 if good else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class' name)
                pass

        try:
            self._server = ThreadingHTTPServer((settings.health_host, settings.health_port), Handler)
        except OSError as error:
            raise OperatorError(
                f"The health port {settings.health_host}:{settings.health_port} cannot be opened ({error.strerror}). "
                "Set INPAINT_HEALTH_PORT to a free one, or to 0 for none."
            ) from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
