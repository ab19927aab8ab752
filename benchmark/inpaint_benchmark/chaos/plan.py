"""Which faults a run makes and when, decided by its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from inpaint_benchmark.chaos import faults, messages, outages
from inpaint_benchmark.chaos.faults import Fault

#: How often in one run of 300 jobs.
TIMES: dict[Fault, int] = {
    faults.kill_worker: 6,
    faults.freeze_worker: 3,
    faults.restart_all_workers: 1,
    faults.kill_relays: 2,
    faults.kill_producer: 2,
    outages.redis_keeps_data: 1,
    outages.redis_loses_data: 2,
    outages.reset_redis_connections: 2,
    outages.postgres_restarts: 1,
    outages.postgres_is_down: 1,
    outages.s3_refuses: 2,
    outages.s3_is_slow: 2,
    outages.s3_cuts_fetch: 2,
    outages.s3_cuts_store: 2,
    messages.deliver_again: 6,
    messages.malformed_messages: 2,
    messages.cancel_some: 4,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, `at_s` after the start."""

    at_s: float
    fault: Fault

    @property
    def name(self) -> str:
        """As messages call it."""
        return str(getattr(self.fault, "__name__", self.fault))


def make_plan(seed: int, window_s: float) -> list[Planned]:
    """Every fault as often as `TIMES` says, at random moments of the window."""
    rng = random.Random(f"faults {seed}")
    times = [fault for fault, count in TIMES.items() for _ in range(count)]
    planned = [Planned(rng.uniform(2, window_s), fault) for fault in times]
    return sorted(planned, key=lambda each: each.at_s)
