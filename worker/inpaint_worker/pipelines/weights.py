"""Where a worker finds the weights of its model: a folder, or the Hugging Face hub and its cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsMissing
from inpaint_core.settings import Settings
from inpaint_core.weights import Weights

from inpaint_worker import memory
from inpaint_worker.page_cache import cached_share
from inpaint_worker.pipelines.hub_errors import hub_errors

#: What is read of a repository besides its weights. Templates of chats (.jinja) belong to tokenizers; transformers
#: renders them in a sandbox.
_BESIDES = ("*.json", "*.txt", "*.model", "*.jinja")
#: Pickled weights (.bin, .ckpt, .pt) can run code and are never fetched.
_PLAIN = "*.safetensors"
#: Weights of a variant, whole and in several files.
_VARIANT = ("*.{variant}.safetensors", "*.{variant}-*.safetensors")
#: Where `inpaint models pull --to` notes the commit that a folder was made from.
REVISION_FILE = ".revision"
_READ_BYTES = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Located:
    """A part of a model on this machine's disk."""

    folder: Path
    #: Commit of the repository; None for a folder that does not say.
    revision: str | None


def locate(card: ModelCard, role: str, settings: Settings) -> Located:
    """The folder with the weights that `card` names `role`; fetched, if neither folder nor cache has them.

    `WeightsMissing` and `WeightsGated` say which command or page is next.
    """
    weights = card.weights[role]
    if settings.weights_dir is not None:
        return _in_folder(card, weights, settings.weights_dir)
    return fetch(card, weights)


def fetch(card: ModelCard, weights: Weights, to: Path | None = None) -> Located:
    """Fetch a repository from the hub, or find it in the cache. `to`: into OWNER/REPO of this folder instead."""
    from huggingface_hub import HfApi, snapshot_download

    target = None if to is None else to / weights.repo
    revision: str | None = weights.revision
    with hub_errors(card, weights):
        if target is not None:
            # A folder does not tell its commit: it is noted in it, and what is fetched is just that commit.
            revision = HfApi().repo_info(weights.repo, revision=weights.revision).sha
        folder = Path(
            snapshot_download(weights.repo, revision=revision, allow_patterns=patterns(weights), local_dir=target)
        )
        if target is None:
            revision = folder.name  # in the cache, the folder of a snapshot is called by its commit
        if plain := _without_variant(folder, weights):
            snapshot_download(weights.repo, revision=revision, allow_patterns=plain, local_dir=target)
        if target is not None:
            (folder / REVISION_FILE).write_text(f"{revision}\n", encoding="utf-8")
    return Located(folder, revision)


def on_disk(card: ModelCard, role: str, settings: Settings) -> bool:
    """Whether `locate` would find the weights without a network."""
    weights = card.weights[role]
    if settings.weights_dir is None:
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(
                weights.repo, revision=weights.revision, allow_patterns=patterns(weights), local_files_only=True
            )
        except (OSError, ValueError):
            return False
        return True
    folder = settings.weights_dir / weights.repo
    if weights.file is not None:
        return (folder / weights.file).is_file()
    return all((folder / part).is_dir() for part in weights.folders) and any(folder.rglob(_PLAIN))


def patterns(weights: Weights) -> list[str]:
    """Which files of a repository are needed: of its weights only those of the variant, if the card names one."""
    if weights.file is not None:
        return [weights.file]
    wanted = (*_BESIDES, *_of_variant(weights.variant))
    if not weights.folders:
        return list(wanted)
    return ["*.json", *(f"{folder}/{name}" for folder in weights.folders for name in wanted)]


def _of_variant(variant: str | None) -> tuple[str, ...]:
    return (_PLAIN,) if variant is None else tuple(name.format(variant=variant) for name in _VARIANT)


def _without_variant(folder: Path, weights: Weights) -> list[str]:
    """Plain weights of those parts of `folder` that came without the variant: diffusers reads them instead."""
    if weights.variant is None or weights.file is not None:
        return []
    names = _of_variant(weights.variant)
    bare = [part for part in weights.folders or ("",) if not any(any((folder / part).glob(name)) for name in names)]
    return [f"{part}/{_PLAIN}" if part else _PLAIN for part in bare]


def read_ahead(
    folder: Path,
    variant: str | None,
    told: Callable[[int], None] = lambda _bytes: None,
    folders: tuple[str, ...] = (),
    file: str | None = None,
) -> None:
    """Read all weights once, one after the other: loading then finds them in memory instead of seeking on the disk.

    `folders`, `file`: only these of it. Another card may have fetched more of the repository. Nothing is read where the
    memory does not hold them all: the last would push out the first before that is loaded. Nor what it holds already.
    """
    wanted = [folder / name for name in folders] or [folder]
    found = {path for part in wanted for name in _of_variant(variant) for path in part.rglob(name)}
    # Loading will say so if one is missing.
    paths = [path for path in (sorted(found) if file is None else [folder / file]) if path.is_file()]
    available = memory.available_bytes()
    if available is not None and sum(path.stat().st_size for path in paths) > available:
        return
    for path in paths:
        if cached_share([path]) == 1:
            continue
        with path.open("rb") as opened:
            while block := opened.read(_READ_BYTES):
                told(len(block))


def _in_folder(card: ModelCard, weights: Weights, root: Path) -> Located:
    folder = root / weights.repo
    if not folder.is_dir():
        raise WeightsMissing(
            f"{card.name} needs {weights.repo}, and there is no {folder}. Run: inpaint models pull {card.name} "
            f"--to {root}",
            repo=weights.repo,
        )
    if weights.file is not None and not (folder / weights.file).is_file():
        raise WeightsMissing(
            f"{card.name} needs {weights.file} of {weights.repo}, and there is no {folder / weights.file}. Run: "
            f"inpaint models pull {card.name} --to {root}",
            repo=weights.repo,
        )
    revision = _noted(folder)
    if revision is not None and _COMMIT.fullmatch(weights.revision) and revision != weights.revision:
        raise WeightsMissing(
            f"{folder} holds commit {revision} of {weights.repo}, and {card.name} pins {weights.revision}. "
            f"Run: inpaint models pull {card.name} --to {root}",
            repo=weights.repo,
        )
    return Located(folder, revision)


def _noted(folder: Path) -> str | None:
    """The commit that a folder was made from, if it says."""
    note = folder / REVISION_FILE
    return (note.read_text(encoding="utf-8").strip() or None) if note.is_file() else None
