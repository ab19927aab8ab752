"""The `inpaint` command: one file per noun. The work is done in the libraries; here it is asked for and shown."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command with the arguments of this process, and end with its exit code."""
    import sys

    from inpaint_fleet.cli.app import app

    app(prog_name="inpaint")
    sys.exit(0)


__all__ = ["main"]
