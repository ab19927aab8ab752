"""Which models would run on this machine, as `inpaint doctor` tells it. It asks this machine only, and no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import DeviceTooSmall
from inpaint_core.settings import Settings
from inpaint_core.weights import Weights

from inpaint_fleet.doctor import Finding, Level, installed

if TYPE_CHECKING:
    from inpaint_worker.pipelines.gpu_room import Gpu

#: Device of a card -> the extra that its worker needs, and packages that come with it.
_EXTRAS = {
    "cpu": ("worker", ("numpy", "cv2")),
    "cuda": ("diffusers", ("numpy", "torch", "diffusers", "transformers", "accelerate", "safetensors")),
    "api": ("openai", ("numpy", "openai")),
}
#: One of these is there where torch could find a GPU: a driver's files of Linux, WSL, Jetson and ROCm. Where none is,
#: torch need not be loaded, which takes seconds.
_DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/nvmap", "/dev/kfd")


def models(settings: Settings) -> Iterator[Finding]:
    """One finding a model: that it runs and on what, or the first thing in its way."""
    for card in load_catalogue(settings.catalogue).values():
        try:
            found, level = _runs(card, settings), Level.OK
        except _InTheWay as error:
            found, level = str(error), Level.INFO
        yield Finding(f"model {card.name}", level, found)


class _InTheWay(Exception):
    """Why a model does not run here."""


def _runs(card: ModelCard, settings: Settings) -> str:
    if not card.served:
        instead = f"; {card.substitute} took its place" if card.substitute else ""
        raise _InTheWay(f"retired{instead}")
    _check_extra(card)
    _check_family(card)
    if card.device == "api":
        if settings.openai_api_key is None:
            raise _InTheWay("needs a key: set INPAINT_OPENAI_API_KEY")
        return f"runs, by OpenAI's {card.api_model}"
    where = _place(card, settings) if card.device == "cuda" else "runs"
    _check_weights(card, settings)
    return where + _without(card, settings)


def _check_extra(card: ModelCard) -> None:
    extra, packages = _EXTRAS[card.device]
    if card.quantisation == "nf4":
        packages = (*packages, "bitsandbytes")
    if "lora" in card.weights:
        packages = (*packages, "peft")
    missing = [name for name in packages if not installed(name)]
    if missing:
        raise _InTheWay(
            f'needs the extra {extra}: pip install "inpaint-fleet[{extra}]" (not there: {", ".join(missing)})'
        )


def _check_family(card: ModelCard) -> None:
    from inpaint_worker.pipelines import FAMILIES

    if card.family not in FAMILIES:
        near = get_close_matches(card.family, FAMILIES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise _InTheWay(f"is of the family {card.family!r}, which workers do not have{hint}")


def _place(card: ModelCard, settings: Settings) -> str:
    from inpaint_worker.pipelines.gpu_room import offloads

    if settings.device == "cpu":
        if card.quantisation == "nf4":
            raise _InTheWay("needs a GPU for its 4-bit weights, and INPAINT_DEVICE is cpu")
        return "runs on the CPU, many times slower than on a GPU"
    gpu = find_gpu()
    if gpu is None:
        raise _InTheWay(f"needs a GPU{_gigabytes(card.gpu_memory_gb)}; none is found here")
    _check_fp8(card)
    try:
        offloaded = offloads(card, gpu, settings.offload)
    except DeviceTooSmall as error:
        have = f"{gpu.name} has {gpu.total_bytes / 1e9:.1f} GB"
        raise _InTheWay(f"needs a GPU{_gigabytes(error.facts['least_gb'])}; {have}") from None
    return f"runs on {gpu.name}" + (", slower, since only the part on it that works finds room" if offloaded else "")


def _check_fp8(card: ModelCard) -> None:
    if card.quantisation != "fp8":
        return
    from inpaint_worker.pipelines.fp8 import require_fp8

    try:
        require_fp8(card)
    except DeviceTooSmall as error:
        need, have = error.facts["need_capability"], error.facts["have_capability"]
        raise _InTheWay(f"needs a GPU of compute capability {need} for its 8 bits; this one has {have}") from None


def _gigabytes(number: object) -> str:
    return f" with {number:g} GB" if isinstance(number, float | int) else ""


def find_gpu() -> Gpu | None:
    """The GPU that torch would use, as if nobody else used it: a worker that runs already is no hindrance."""
    if not any(Path(driver).exists() for driver in _DRIVERS):
        return None
    import torch
    from inpaint_worker.pipelines.gpu_room import Gpu

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return Gpu(properties.name, properties.total_memory, properties.total_memory)


def _check_weights(card: ModelCard, settings: Settings) -> None:
    missing = [weights for weights in _missing(card, settings) if weights.needed_for is None]
    if not missing:
        return
    pull = _pull(card, settings)
    gated = [weights.page for weights in missing if weights.gated]
    if gated and not _has_token():
        raise _InTheWay(f"gated, and no HF_TOKEN: accept its licence on {gated[0]}, set HF_TOKEN, and {pull}")
    size = sum(weights.size_gb or 0 for weights in missing)
    raise _InTheWay(f"weights missing{f' ({size:.3g} GB)' if size else ''}: {pull}")


def _without(card: ModelCard, settings: Settings) -> str:
    """What edits it cannot make since weights that only those need are missing."""
    missing = [weights for weights in _missing(card, settings) if weights.needed_for]
    if not missing:
        return ""
    guides = sorted({str(weights.needed_for) for weights in missing})
    gated = [weights.page for weights in missing if weights.gated]
    accept = f"accept the licence on {gated[0]}, set HF_TOKEN, and " if gated and not _has_token() else ""
    return f"; without {' and '.join(guides)} images, whose weights are missing: {accept}{_pull(card, settings)}"


def _missing(card: ModelCard, settings: Settings) -> list[Weights]:
    if not card.weights:
        return []
    from inpaint_worker.pipelines.weights import on_disk

    return [weights for role, weights in card.weights.items() if not on_disk(card, role, settings)]


def _pull(card: ModelCard, settings: Settings) -> str:
    to = f" --to {settings.weights_dir}" if settings.weights_dir is not None else ""
    return f"run `inpaint models pull {card.name}{to}`"


def _has_token() -> bool:
    """Whether there is a token of the hub. Its client would renew one over the network."""
    from huggingface_hub import constants

    return bool(os.environ.get("HF_TOKEN")) or Path(constants.HF_TOKEN_PATH).is_file()
