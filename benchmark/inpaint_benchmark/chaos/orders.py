"""What is submitted in a run, decided by its seed: ordinary jobs, and a few that make trouble of their own."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from inpaint_benchmark.chaos.scene import MODELS

#: Pictures that jobs share: enough to fetch different objects, few enough to compare the results of each.
PICTURES = 6
#: The first model has two of three workers.
_SHARE_OF_FIRST = 2 / 3


class Expect(StrEnum):
    """How a job has to end. Any of them may also have been canceled, if a cancel was asked for."""

    SUCCESS = "succeeded"
    POISONED = "failed: it kills its worker"
    HUNG = "failed: its step hangs"
    IN_TIME_OR_EXPIRED = "succeeded or expired"


@dataclass(frozen=True, slots=True)
class Order:
    """One job to submit, `at_s` after the start of the run."""

    key: str
    at_s: float
    model: str
    prompt: str
    picture: int
    expect: Expect = Expect.SUCCESS
    deadline_s: float | None = None


def make_orders(seed: int, jobs: int, window_s: float) -> list[Order]:
    """A fifth at once, so that there is a backlog to lose; the others over the window."""
    rng = random.Random(f"orders {seed}")
    trouble = [("die", Expect.POISONED)] * 2 + [("hang", Expect.HUNG)]
    orders = []
    for number in range(jobs):
        prompt, expect, deadline_s = f"work {rng.uniform(0.05, 0.4):.2f}", Expect.SUCCESS, None
        model = MODELS[0] if rng.random() < _SHARE_OF_FIRST else MODELS[1]
        if number % 40 == 7:
            prompt = "work 2.5"
        elif number % 50 == 11:
            expect, deadline_s = Expect.IN_TIME_OR_EXPIRED, rng.uniform(1, 4)
        at_s = 0.0 if number < jobs // 5 else rng.uniform(0, window_s)
        # Not in the backlog of the beginning, or every neighbour would be hit before the run has begun.
        if number >= jobs // 5 and trouble and number % 20 == 0:
            (prompt, expect), model = trouble.pop(), MODELS[0]
        orders.append(Order(f"{seed}-{number}", at_s, model, prompt, number % PICTURES, expect, deadline_s))
    return sorted(orders, key=lambda order: order.at_s)
