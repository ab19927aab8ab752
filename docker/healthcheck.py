"""End with 0 if this container's HTTP server answers 2xx: `healthcheck.py [PORT PATH]`; without, a worker's /readyz."""

from __future__ import annotations

import http.client
import os
import sys


def main(arguments: list[str]) -> int:
    """The exit code; what was found goes to stderr, where `docker inspect` shows it."""
    port, path = arguments or [os.environ.get("INPAINT_HEALTH_PORT", ""), "/readyz"]
    if port in ("", "0"):
        sys.stderr.write("INPAINT_HEALTH_PORT is not set: the worker has no health port to ask.\n")
        return 1
    # Not urllib: it would ask a proxy named in the environment.
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=4)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(500).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{path} on port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    sys.stderr.write(f"{path} on port {port}: {answer.status} {body}\n")
    return 0 if 200 <= answer.status < 300 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
