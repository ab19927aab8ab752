"""Packages that need not be installed."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def installed(name: str) -> Any:
    """The module; None if it is not there or cannot be imported.

    RuntimeError: torchvision, when it was built for another torch than the one beside it.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return None
