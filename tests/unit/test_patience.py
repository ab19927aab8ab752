"""Waiting out short outages."""

from __future__ import annotations

import pytest
from inpaint_core.errors import ObjectNotFound, StorageUnavailable
from inpaint_core.patience import backoff_s, patiently


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise StorageUnavailable("S3 is away.")
        return "here"


def test_an_outage_that_ends_is_waited_out() -> None:
    flaky = Flaky(2)
    assert patiently(flaky, for_s=10) == "here"
    assert flaky.calls == 3


def test_patience_ends() -> None:
    with pytest.raises(StorageUnavailable):
        patiently(Flaky(1000), for_s=0.5)


def test_what_no_waiting_mends_is_raised_at_once() -> None:
    def missing() -> None:
        raise ObjectNotFound

    with pytest.raises(ObjectNotFound):
        patiently(missing, for_s=3600)


def test_a_wish_to_stop_ends_the_waiting() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        patiently(Flaky(1000), for_s=3600, check=stop)


def test_backoff_doubles_up_to_its_limit_and_is_jittered() -> None:
    for failures in range(12):
        full = min(2.0 * 2**failures, 300)
        pauses = {backoff_s(failures, 2, 300) for _ in range(20)}
        assert len(pauses) > 1
        assert all(full / 2 <= pause <= full for pause in pauses)
