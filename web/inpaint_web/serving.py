"""Serving the application: uvicorn, on loopback unless told otherwise."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from inpaint_core.errors import StackError
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings

from inpaint_web.app import create_app

if TYPE_CHECKING:
    import uvicorn

log = get_logger("inpaint.web")
#: More than that are answered 503: fewer than the files that a process may have open. A browser opens six.
MOST_CONNECTIONS = 800


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. `StackError` if the port is taken."""
    import uvicorn

    host, port = settings.web_host, settings.web_port
    listener = _listen(host, port)
    log.info("web_started", url=settings.web_url or f"http://{host}:{port}", operators=settings.web_token is not None)
    try:
        uvicorn.Server(server_config(settings)).run(sockets=[listener])
    finally:
        listener.close()
    log.info("web_stopped")


def server_config(settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application, whatever socket it listens on."""
    import uvicorn

    from inpaint_web.patience import PatientProtocol

    return uvicorn.Config(
        create_app(settings),
        http=PatientProtocol,
        limit_concurrency=MOST_CONNECTIONS,
        # Our own logging; and no line for each request: the path of a link holds its token.
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-* are believed of a proxy on this machine alone.
        proxy_headers=True,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=32_768,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512
        )
    except OSError as error:
        raise StackError(
            f"The web server cannot listen on {host}:{port}: {error.strerror or error}. Choose another port with "
            "INPAINT_WEB_PORT, or stop what listens there."
        ) from None
