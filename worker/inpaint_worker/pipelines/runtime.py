"""What a diffusion model runs on: device, number format, and whether it fits."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from inpaint_core.acceleration import NOTHING, Acceleration
from inpaint_core.card import ModelCard
from inpaint_core.errors import DeviceTooSmall, GpuContextBroken, GpuOutOfMemory
from inpaint_core.log import get_logger
from inpaint_core.settings import Settings

from inpaint_worker.pipelines.acceleration import choose_acceleration
from inpaint_worker.pipelines.fp8 import require_fp8
from inpaint_worker.pipelines.gpu_room import Gpu, offloads, tiles

#: Memory that did not suffice, as other libraries say it, or torch's compiler, which tells of errors in its own. The
#: context is sound.
_FULL = ("ALLOC_FAILED", "CUDA error: out of memory", "CUDA out of memory")
#: What CUDA calls errors after which no call of the process succeeds any more.
_BROKEN = ("CUDA error", "device-side assert", "illegal memory access", "cuDNN error", "cublas", "unspecified launch")
log = get_logger("inpaint.worker")


@dataclass(frozen=True, slots=True)
class Runtime:
    """The device of a worker, and how its model is held there."""

    device: str
    dtype: torch.dtype
    #: Only the part that works is on the GPU: less memory, more time.
    offload: bool
    #: What makes it quicker.
    acceleration: Acceleration = NOTHING
    #: Pictures are encoded and decoded in tiles: less memory, and a little other pixels.
    tiling: bool = False

    def described(self) -> dict[str, object]:
        """As it is logged and recorded."""
        told = {"device": self.device, "dtype": str(self.dtype).removeprefix("torch.")}
        return {**told, "offload": self.offload, "acceleration": str(self.acceleration), "tiling": self.tiling}


def choose_runtime(card: ModelCard, settings: Settings) -> Runtime:
    """Where and how `card` is loaded; `DeviceTooSmall` says what it needs and what there is."""
    wanted = getattr(torch, card.dtype or "float32")
    if settings.device == "cpu":
        # Half precision is slower than single on a CPU, and some operations have none.
        single = wanted if card.quantisation else torch.float32
        acceleration = choose_acceleration(card, settings, device="cpu", offload=False)
        return Runtime("cpu", single, offload=False, acceleration=acceleration, tiling=settings.tiling == "always")
    if not torch.cuda.is_available():
        memory = f" with {card.gpu_memory_gb:g} GB" if card.gpu_memory_gb else ""
        raise DeviceTooSmall(
            f"{card.name} needs an NVIDIA GPU{memory}, and torch {torch.__version__} finds none here. "
            "INPAINT_DEVICE=cpu runs it on the CPU, many times slower.",
            need_gb=card.gpu_memory_gb,
        )
    if card.quantisation == "fp8":
        require_fp8(card)
    free, total = torch.cuda.mem_get_info()
    gpu = Gpu(torch.cuda.get_device_name(), total, free)
    offload = offloads(card, gpu, settings.offload)
    tiling = tiles(card, gpu, settings.tiling, offload=offload)
    acceleration = choose_acceleration(card, settings, device="cuda", offload=offload)
    return Runtime("cuda", wanted, offload=offload, acceleration=acceleration, tiling=tiling)


@contextlib.contextmanager
def gpu_errors(
    card: ModelCard, *, loading: bool = False, guide: str | None = None, on_full: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Errors of CUDA as the fleet's: memory that did not suffice is freed, a broken context ends the process.

    `on_full` gives up what is held for later.
    """
    remedy = "If saving memory does not help, use a smaller picture, or a worker with more memory."
    if guide is not None:
        remedy = (
            f"The weights for {guide} images found no room beside the model: set INPAINT_OFFLOAD=always, or use a "
            "larger GPU."
        )
    elif loading:
        remedy = "It was just being loaded: set INPAINT_OFFLOAD=always, or use a larger GPU."
    try:
        yield
    except RuntimeError as error:
        # First: memory that did not suffice while a graph was captured ends in an error of CUDA.
        if (full := _full(error)) is not None:
            reason = _first_line(full)
            del full
            _let_go(error)
            on_full()
            free_memory()
            raise GpuOutOfMemory(f"{card.name} ran out of GPU memory ({reason}). {remedy}") from None
        if torch.cuda.is_available() and any(sign in str(error) for sign in _BROKEN):
            raise GpuContextBroken(f"The GPU context is broken: {_first_line(error)}") from None
        raise


def is_of_the_gpu(error: BaseException) -> bool:
    """Whether the GPU raised it, full or broken: it says nothing of what was read at the time."""
    return _full(error) is not None or any(sign in str(error) for sign in _BROKEN)


def _full(error: BaseException) -> BaseException | None:
    """That of an error and what led to it which says that memory did not suffice."""
    return next(
        (
            each
            for each in _story(error)
            if isinstance(each, torch.OutOfMemoryError) or any(sign in str(each) for sign in _FULL)
        ),
        None,
    )


def _story(error: BaseException) -> list[BaseException]:
    """An error and what led to it: what it was raised from or beside, and what torch's compiler keeps of it."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop(0)
        if each is not None and not any(each is other for other in found):
            found.append(each)
            left += [each.__cause__, each.__context__, getattr(each, "inner_exception", None)]
    return found


def _let_go(error: BaseException) -> None:
    """Empty the frames that an exception came through: until then their tensors stay on the GPU with it."""
    for each in _story(error):
        traceback.clear_frames(each.__traceback__)


def free_memory() -> None:
    """Give back what torch holds for later use."""
    import gc

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def generator(seed: int) -> torch.Generator:
    """A fresh source of noise for one call: on the CPU, so that the noise does not depend on the GPU."""
    return torch.Generator("cpu").manual_seed(seed)


def _first_line(error: BaseException) -> Any:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
