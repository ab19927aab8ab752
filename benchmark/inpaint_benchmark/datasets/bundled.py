"""Datasets that the package brings along, so that a benchmark runs without a download."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from inpaint_core.errors import InvalidRequest
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import manifest
from inpaint_benchmark.datasets.checking import usual_limits
from inpaint_benchmark.datasets.facts import unknown
from inpaint_benchmark.datasets.loaded import LoadedDataset


def bundled_names() -> tuple[str, ...]:
    """What `bundled` can open."""
    return tuple(sorted(p.parent.name.replace("_", "-") for p in _root().glob(f"*/{manifest.FILE_NAME}")))


def bundled(name: str, limits: Limits | None = None) -> LoadedDataset:
    """A dataset of the package; `InvalidRequest` if there is none of that name."""
    names = bundled_names()
    if name not in names:
        raise InvalidRequest(unknown(name, names, "bundled dataset"), field="name")
    return manifest.read(_root() / name.replace("-", "_"), {}, limits or usual_limits())


def _root() -> Path:
    # Wheels are unpacked, so that the folder is one of the file system.
    return Path(str(files("inpaint_benchmark.datasets")))
