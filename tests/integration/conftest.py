"""Fixtures of tests that run the slow worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from inpaint_core.settings import Settings
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from slow_worker import CATALOGUE, SlowWorker


@pytest.fixture
def slow_client(settings: Settings) -> Iterator[InpaintClient]:
    """A client that knows the model of the slow worker."""
    with InpaintClient(settings, catalogue=CATALOGUE) as client:
        yield client


@pytest.fixture
def start_slow(stack_env: dict[str, str], settings: Settings, tmp_path: Path) -> Iterator[Callable[..., SlowWorker]]:
    """Start slow workers; all are killed at the end, as those of `start_worker`."""
    started: list[SlowWorker] = []

    def start(**variables: str) -> SlowWorker:
        worker = SlowWorker({**stack_env, **variables}, settings, tmp_path / f"slow-{len(started)}.log")
        started.append(worker)
        worker.wait_ready()
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    """A relay that sweeps when a test says so."""
    relay = Relay(settings, CATALOGUE)
    yield relay
    relay.close()
