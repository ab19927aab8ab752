"""Whether a model fits on a GPU: all of it, or the part that works. Knows no torch, so that whoever asks needs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inpaint_core.card import ModelCard
from inpaint_core.errors import DeviceTooSmall

#: A model that needs more than this share of the memory is kept on the CPU but for the part that works.
_FITS_SHARE = 0.95
#: What that part needs of the whole, where the card does not say it.
_OFFLOADED_SHARE = 0.5
#: With less than this share of the free memory left over, pictures are encoded and decoded in tiles.
_ROOMY_SHARE = 0.1
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its memory."""

    name: str
    total_bytes: int
    free_bytes: int


def tiles(card: ModelCard, gpu: Gpu, wish: Literal["auto", "never", "always"], *, offload: bool) -> bool:
    """Whether the autoencoder of `card` works in tiles on `gpu`: what it needs beside the model grows with the picture.

    A job that ran out of memory is tried again in tiles, whatever is wished.
    """
    if wish != "auto":
        return wish == "always"
    return offload and _part(card) > gpu.free_bytes * (1 - _ROOMY_SHARE)


def offloads(card: ModelCard, gpu: Gpu, wish: Literal["auto", "never", "always"]) -> bool:
    """Whether only the part of `card` that works is held on `gpu`: less memory, more time.

    `DeviceTooSmall` says what it needs and what there is.
    """
    whole = (card.gpu_memory_gb or 0) * _GB
    part = _part(card)
    fits = whole <= gpu.total_bytes * _FITS_SHARE and whole <= gpu.free_bytes
    offload = wish == "always" or (wish == "auto" and not fits)
    if (part if offload else whole) <= gpu.free_bytes:
        return offload
    if wish == "never" and part <= gpu.free_bytes:
        remedy = "Set INPAINT_OFFLOAD=auto, or use a larger GPU."
    elif part <= gpu.total_bytes:
        remedy = "End what else uses this GPU, or use a larger one."
    else:
        remedy = "Use a larger GPU."
    raise DeviceTooSmall(
        f"{card.name} needs {whole / _GB:g} GB of GPU memory, or {part / _GB:g} GB with only the part there that works "
        f"(INPAINT_OFFLOAD), and {gpu.name} has {gpu.total_bytes / _GB:.1f} GB, {gpu.free_bytes / _GB:.1f} GB of them "
        f"free. {remedy}",
        need_gb=card.gpu_memory_gb,
        least_gb=(whole if wish == "never" else part) / _GB,
        have_gb=gpu.total_bytes / _GB,
    )


def _part(card: ModelCard) -> float:
    """Bytes of the part that works, where only that is on the GPU."""
    return (card.offload_memory_gb or (card.gpu_memory_gb or 0) * _OFFLOADED_SHARE) * _GB
