"""A producer that dies between its commit and its messages. Its jobs are in Postgres, and nobody has been told."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, cast

from inpaint_core.settings import load_settings
from inpaint_producer import InpaintClient, JobSpec
from inpaint_producer.submit import Submitter

from inpaint_benchmark.chaos.scene import chaos_catalogue, marked, pictures

#: Exit status that tells its parent that it got as far as it should.
DIED_AS_PLANNED = 86


def specs(model: str, keys: Sequence[str]) -> list[JobSpec]:
    """What such a producer submits. Its parent submits the same once more, and should be given the same jobs."""
    return [JobSpec(pictures(1)[0], marked(), model, "work 0.1", idempotency_key=key) for key in keys]


def _die(*_: object) -> NoReturn:
    os._exit(DIED_AS_PLANNED)


def main() -> int:
    """Submit; never gets to the end."""
    cast(Any, Submitter)._send = _die
    model, *keys = sys.argv[1:]
    with InpaintClient(load_settings(), catalogue=chaos_catalogue()) as client:
        list(client.submit_many(specs(model, keys)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
