"""Ports on loopback: free ones, and the same ones again."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Collection

#: Below the range that the kernel takes for outgoing connections (32768 and up on Linux): a port from that range may be
#: in use by a passing client at the very moment a restarted server wants it back.
RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the previous one that linger for a minute do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def keep_or_pick(wanted: int | None, avoid: Collection[int] = ()) -> int:
    """`wanted` if nobody listens there, else another free port that is not in `avoid`."""
    if wanted and wanted not in avoid and is_free(wanted):
        return wanted
    for port in random.sample(RANGE, 1000):
        if port not in avoid and is_free(port):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port between {RANGE.start} and {RANGE.stop}")


def answers(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
