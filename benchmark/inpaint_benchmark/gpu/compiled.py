"""What torch has compiled in this process, and what it has given up to compile."""

from __future__ import annotations

import sys
from typing import Any


def graphs() -> int:
    """Graphs that were compiled so far."""
    return _count("stats", "unique_graphs")


def not_compiled() -> int:
    """Calls that were to be compiled and run as plain Python since: a limit of graphs was reached, or torch could not.

    Torch counts the frames that it begins and those that it ends well, of every thread.
    """
    return _count("frames", "total") - _count("frames", "ok")


def _count(kind: str, name: str) -> int:
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters[kind][name])
