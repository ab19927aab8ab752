"""How clients on this machine find a running stack: a TOML file with the settings that lead to it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from inpaint_fleet.local.folder import DataFolder, disk_errors, write_private

_HEADING = """\
# Written by `inpaint up` at each start and removed when it stops: where its servers are. Not for editing.
"""


def write_stack_file(folder: DataFolder, values: Mapping[str, str | int]) -> None:
    """Write settings by their names. Only names that `Settings` knows: it refuses all others."""
    # A JSON string is a TOML basic string, and a whole number is one in both.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
    write_private(folder.stack_file, _HEADING + "".join(lines))


def remove_stack_file(folder: DataFolder) -> None:
    """Without the file a client says "start one with `inpaint up`" instead of trying ports that are nobody's."""
    with disk_errors(folder.root):
        folder.stack_file.unlink(missing_ok=True)
