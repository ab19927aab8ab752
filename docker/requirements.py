"""Print what the project needs with some of its extras, without the project itself: `requirements.py FILE EXTRA...`.

An image installs this before the project's own wheel, so that a change of source does not install torch again.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(project: dict[str, Any], extras: list[str]) -> list[str]:
    """The requirements of `project` (the table of pyproject.toml) with `extras`, those that name others followed."""
    optional: dict[str, list[str]] = project.get("optional-dependencies", {})
    found = list(project["dependencies"])
    waiting = list(extras)
    seen = set()
    while waiting:
        extra = waiting.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in optional:
            raise SystemExit(f"There is no extra {extra!r}; there are: {', '.join(optional)}.")
        for line in optional[extra]:
            own = re.fullmatch(rf"{re.escape(project['name'])}\[([^\]]+)\]", line.replace(" ", ""))
            if own:
                waiting += own[1].split(",")
            else:
                found.append(line)
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    table = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
    sys.stdout.write("\n".join(requirements(table, sys.argv[2:])) + "\n")
