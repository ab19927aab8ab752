"""How often somebody may ask: a bucket of tokens that fills again, for each visitor."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import HTTPConnection


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, as limits count it: of IPv6 the network, of which a visitor has all addresses."""
    host = connection.client.host if connection.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


class RateLimit:
    """`burst` requests at once, then `per_s` a second, for each key. Of this process alone; safe for threads."""

    def __init__(
        self, per_s: float, burst: int, *, most_keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most_keys = most_keys
        self._clock = clock
        #: Key -> (tokens, when they were counted); the longest unused first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        with self._lock:
            tokens, then = self._buckets.pop(key, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - then) * self._per_s)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_s

    def give_back(self, key: str) -> None:
        """Put a token back that was taken for what then proved to be allowed."""
        with self._lock:
            if key in self._buckets:
                tokens, then = self._buckets[key]
                self._buckets[key] = (min(self._burst, tokens + 1), then)
