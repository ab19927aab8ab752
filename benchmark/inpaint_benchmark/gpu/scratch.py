"""Where random weights and compiled code lie while they are needed: room for them, and nothing of them afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from inpaint_core.card import ModelCard
from inpaint_core.errors import DiskFull, InvalidRequest

from inpaint_benchmark.gpu.figures_file import stored

#: Tells beside each part what is in it, so that real weights are never taken for these, nor these for others.
MARKER = ".random-weights.json"
_COMPILED = "compiled-"
#: Beside the numbers: configurations, tokenizers, constants of 4-bit weights, and a LoRA.
_BESIDES = 1.05


def default_scratch() -> Path:
    """A folder for temporary files that is this user's alone: where one of an earlier call is, else the most room."""
    places = [Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108  (its own folder, checked below)
    folders = [place / f"inpaint-bench-gpu-{os.getuid()}" for place in places if os.access(place, os.W_OK)]
    if not folders:
        raise InvalidRequest(f"No folder for temporary files can be written ({places[0]}). Name one with --scratch.")
    used = [folder for folder in folders if os.access(folder, os.R_OK | os.X_OK) and any(folder.iterdir())]
    return used[0] if used else max(folders, key=lambda folder: shutil.disk_usage(folder.parent).free)


def prepare(folder: Path, *, own: bool) -> None:
    """Make it, and remove what ended processes have left in it. `own`: refuse a folder that is not this user's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = folder.lstat()
    if own and (
        not stat.S_ISDIR(told.st_mode) or told.st_uid != os.getuid() or told.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
    ):
        raise InvalidRequest(f"{folder} is not a folder of this user alone. Name another with --scratch.")
    for left in folder.glob(f"{_COMPILED}*"):
        pid = left.name.removeprefix(_COMPILED).partition("-")[0]
        if not pid.isdecimal() or not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def compiled_folder(scratch: Path) -> Iterator[Path]:
    """For what a process compiles. Named by this process: if it is killed, the next call removes it."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f"{_COMPILED}{os.getpid()}-", dir=scratch, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def clear(folder: Path) -> None:
    """Remove it if nothing is left in it."""
    for each in (*(path for path in folder.glob("*") if path.is_dir()), folder):
        with contextlib.suppress(OSError):
            each.rmdir()


def weights_bytes(card: ModelCard) -> int | None:
    """About what its random weights take on the disk; None for a model of which no figures are kept."""
    figures = stored()["models"].get(card.name)
    return None if figures is None else int(figures["bytes"] * _BESIDES)


def complete_parts(card: ModelCard, weights: Path) -> int:
    """Of its random weights, how many parts are there from end to end."""
    markers = [marker for each in card.weights.values() for marker in (weights / each.repo).rglob(MARKER)]
    return sum(1 for marker in set(markers) if _says_complete(marker))


def leave_out_too_large(cards: Sequence[ModelCard], weights: Path) -> tuple[list[ModelCard], list[str]]:
    """The cards whose random weights have room while those of no other are there, and a sentence on each other card.

    `DiskFull` if none has.
    """
    place = next(folder for folder in (weights, *weights.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    fitting, sentences = [], []
    for card in cards:
        there = sum(_size(weights / each.repo) for each in card.weights.values())
        needed = weights_bytes(card)
        if needed is None or needed - there <= free:
            fitting.append(card)
        else:
            sentences.append(
                f"The random weights of {card.name} take {needed / 1e9:.0f} GB, and {place} has room for "
                f"{(free + there) / 1e9:.0f} GB, so it is left out. --scratch names a folder with more."
            )
    if cards and not fitting:
        raise DiskFull(" ".join(sentences))
    return fitting, sentences


def _says_complete(marker: Path) -> bool:
    try:
        return bool(json.loads(marker.read_text(encoding="utf-8"))["complete"])
    except (OSError, ValueError, KeyError):  # it was being written when the process ended
        return False


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
