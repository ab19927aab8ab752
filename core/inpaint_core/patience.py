"""Waiting out short outages: neither an hour of waiting nor the work of a GPU is lost because a server restarts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from inpaint_core.errors import ServiceUnavailable
from inpaint_core.log import get_logger

T = TypeVar("T")
log = get_logger("inpaint.patience")


def patiently(act: Callable[[], T], *, for_s: float, check: Callable[[], None] = lambda: None) -> T:
    """Call `act` until it no longer raises `ServiceUnavailable`, at most for `for_s` seconds.

    `check` is called before each new try and may raise to end the waiting.
    """
    until = time.monotonic() + for_s
    pause = 0.2
    while True:
        try:
            return act()
        except ServiceUnavailable as error:
            if time.monotonic() + pause > until:
                raise
            log.warning("service_away", reason=error.message, next_try_s=round(pause, 2))
        time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (not a secret)
        pause = min(pause * 2, 5.0)
        check()


def backoff_s(failures: int, first_s: float, most_s: float) -> float:
    """The pause before the next attempt after so many failures (0: the first): doubling, jittered."""
    pause = min(first_s * 2.0**failures, most_s)
    return pause * random.uniform(0.5, 1.0)  # noqa: S311  (not a secret)
