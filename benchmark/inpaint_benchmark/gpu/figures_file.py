"""`figures.json`, read: what each model weighs and computes. Needs no torch."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

FILE = "figures.json"


def stored() -> dict[str, Any]:
    """The figures in the file: `models`, by name, and `cropped`, by the side of the square."""
    found: dict[str, Any] = json.loads((files(__package__) / FILE).read_text(encoding="utf-8"))
    return found
