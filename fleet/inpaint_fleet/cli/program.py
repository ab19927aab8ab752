"""How to call this program again, in commands that are printed to be copied."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """`inpaint` if the shell would find this installation, else the path to it."""
    own = Path(sys.executable).parent / "inpaint"
    found = shutil.which("inpaint")
    if found and Path(found).resolve() == own.resolve():
        return "inpaint"
    if not own.exists():
        return f"{sys.executable} -m inpaint_fleet.cli"
    relative = os.path.relpath(own)
    return str(own) if relative.startswith("..") else relative
