"""Pipelines are tested on the CPU, with tiny checkpoints that are written first (`tests/tiny`)."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("contract")
pytest.importorskip("diffusers", reason="comes with the extra 'diffusers'")
