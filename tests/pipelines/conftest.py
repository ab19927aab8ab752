"""Pipelines are tested on the CPU, with tiny checkpoints that are written first (`tests/tiny`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("contract")
torch = pytest.importorskip("torch", reason="comes with the extra 'diffusers'")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of torch wait for each other longer than such small models take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
