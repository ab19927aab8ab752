"""Where a worker finds the weights of its model: a folder, or the Hugging Face hub and its cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsGated, WeightsMissing
from inpaint_core.settings import Settings
from inpaint_core.weights import Weights

#: What is read of a repository. Pickled weights (.bin, .ckpt, .pt) can run code and are never fetched.
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors")
#: Where `inpaint models pull --to` notes the commit that a folder was made from.
REVISION_FILE = ".revision"
_READ_BYTES = 16 << 20


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
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    target = None if to is None else to / weights.repo
    revision: str | None = weights.revision
    try:
        if target is not None:
            # A folder does not tell its commit: it is noted in it, and what is fetched is just that commit.
            revision = HfApi().repo_info(weights.repo, revision=weights.revision).sha
        found = snapshot_download(weights.repo, revision=revision, allow_patterns=patterns(weights), local_dir=target)
    except GatedRepoError:
        raise WeightsGated(
            f"{card.name} needs {weights.repo}, whose licence ({weights.licence or 'see its page'}) has to be "
            f"accepted on {weights.page} with your account. Then set HF_TOKEN to a token of it, and run: "
            f"inpaint models pull {card.name}",
            repo=weights.repo,
        ) from None
    except RepositoryNotFoundError:
        raise WeightsMissing(
            f"{card.name} needs {weights.repo}, which the hub does not show. If it is gated, set HF_TOKEN; if it has "
            f"moved, name another repository in your catalogue (INPAINT_CATALOGUE): {weights.page}",
            repo=weights.repo,
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsMissing(
            f"{card.name} needs {weights.repo}, which is neither in the cache nor to be had from the hub now "
            f"({type(error).__name__}). Where there is a network, run: inpaint models pull {card.name} --to FOLDER, "
            "and set INPAINT_WEIGHTS_DIR to a copy of that folder.",
            repo=weights.repo,
        ) from None
    folder = Path(found)
    if target is None:
        return Located(folder, folder.name)  # in the cache, the folder of a snapshot is called by its commit
    (folder / REVISION_FILE).write_text(f"{revision}\n", encoding="utf-8")
    return Located(folder, revision)


def patterns(weights: Weights) -> list[str]:
    """Which files of a repository are needed."""
    if weights.file is not None:
        return [weights.file]
    if not weights.folders:
        return list(_WANTED)
    return ["*.json", *(f"{folder}/{wanted}" for folder in weights.folders for wanted in _WANTED)]


def read_ahead(
    folder: Path,
    variant: str | None,
    told: Callable[[int], None] = lambda _bytes: None,
    folders: tuple[str, ...] = (),
) -> None:
    """Read all weights once, one after the other: loading then finds them in memory instead of seeking on the disk.

    `folders`: only these of it. Another card may have fetched more of the repository.
    """
    wanted = [folder / name for name in folders] or [folder]
    for file in sorted(file for part in wanted for file in part.rglob("*.safetensors")):
        if variant is not None and f".{variant}." not in file.name:
            continue
        with file.open("rb") as opened:
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
    return Located(folder, _revision_of(folder, weights))


def _revision_of(folder: Path, weights: Weights) -> str | None:
    note = folder / REVISION_FILE
    if note.is_file():
        return note.read_text(encoding="utf-8").strip() or None
    return weights.revision if weights.revision != "main" else None
