"""What a run asks of its servers: to be killed and to come back. Whoever starts a run brings them."""

from __future__ import annotations

from signal import Signals
from typing import Literal, Protocol

Service = Literal["redis", "postgres", "s3"]


class Servers(Protocol):
    """A Redis, a Postgres and an S3 of this run's own."""

    def end(self, service: Service, signal: Signals) -> None:
        """Send the signal to its process; returns when it is gone."""

    def start(self, service: Service) -> None:
        """Start it on its old port, over its old data; returns when it answers."""

    def wipe_redis(self) -> None:
        """Remove what the stopped Redis has on disk."""
