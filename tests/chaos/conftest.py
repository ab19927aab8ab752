"""Servers of a test's own: they are killed, so nobody else may use them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from inpaint_core.settings import Settings
from inpaint_fleet.cli.chaos import LocalFaults, own_servers


@pytest.fixture
def own() -> Iterator[tuple[Settings, LocalFaults]]:
    """Settings of running servers, and the hand that kills them."""
    with own_servers() as found:
        yield found
