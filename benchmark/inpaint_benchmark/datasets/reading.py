"""One way to read a dataset of any kind."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from inpaint_core.errors import InputNotFound, InvalidRequest
from inpaint_core.images import Limits

from inpaint_benchmark.datasets import manifest
from inpaint_benchmark.datasets.checking import usual_limits
from inpaint_benchmark.datasets.facts import unknown
from inpaint_benchmark.datasets.importers import alpha, brushbench, editbench, folders, inpaintcoco, pie_bench
from inpaint_benchmark.datasets.loaded import LoadedDataset


class Reader(Protocol):
    """Reads a dataset of one kind. Its options are keywords; what is left out must be said or has one meaning."""

    def __call__(self, path: Path, said: Mapping[str, str], limits: Limits, **options: Any) -> LoadedDataset:
        """The dataset at `path`; `said` is what the caller says of it: name, version, description, licence."""


KINDS: Mapping[str, Reader] = {
    "manifest": cast(Reader, manifest.read),
    "folders": cast(Reader, folders.read),
    "editbench": cast(Reader, editbench.read),
    "brushbench": cast(Reader, brushbench.read),
    "pie-bench": cast(Reader, pie_bench.read),
    "inpaintcoco": cast(Reader, inpaintcoco.read),
    "alpha": cast(Reader, alpha.read),
}


def read_dataset(
    path: Path,
    kind: str | None = None,
    *,
    name: str | None = None,
    version: str | None = None,
    description: str | None = None,
    licence: str | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> LoadedDataset:
    """The dataset at `path`. Only a manifest is known by its content; for all else, `kind` says what it is.

    `name` (kebab-case), `version`, `description` and `licence` replace what the dataset says of itself. `options` are
    those of the kind (`options_of`). Its list is checked at once; a picture when its sample is loaded.

    Raises a `RequestError` that names the file and the line, row or key, and `MissingExtra` for a kind that needs a
    package which is not installed.
    """
    if kind is not None and kind not in KINDS:
        raise InvalidRequest(unknown(kind, KINDS, "kind of dataset"), field="kind")
    path = path.expanduser().absolute()
    if not path.exists():
        raise InputNotFound(f"There is no file or folder {path}. Check the path.", path=str(path))
    if kind is None and path.is_dir() and not (path / manifest.FILE_NAME).is_file():
        raise InvalidRequest(
            f"{path} is a folder without a {manifest.FILE_NAME}: say the kind of dataset that it is, one of "
            f"{', '.join(KINDS)}.",
            field="kind",
        )
    kind = kind or "manifest"
    for option in options:
        if option not in (known := options_of(kind)):
            raise InvalidRequest(
                unknown(option, known, f"option of {kind}") if known else f"{kind} has no options, found {option!r}.",
                field=option,
            )
    values = {"name": name, "version": version, "description": description, "licence": licence}
    said = {field: value for field, value in values.items() if value is not None}
    return KINDS[kind](path, said, limits or usual_limits(), **options)


def options_of(kind: str) -> tuple[str, ...]:
    """The names of the options that a kind has."""
    parameters = inspect.signature(KINDS[kind]).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
