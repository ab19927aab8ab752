"""Compiling the networks that a step calls (torch.compile): their blocks, or the whole."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from inpaint_core.errors import SettingsInvalid
from torch.utils import _pytree

#: Blocks of which a network has many alike. Diffusers knows those of its transformers and U-Nets, not of ControlNets.
BLOCKS = frozenset(
    {
        "BasicTransformerBlock",
        "Flux2SingleTransformerBlock",
        "Flux2TransformerBlock",
        "FluxSingleTransformerBlock",
        "FluxTransformerBlock",
        "JointTransformerBlock",
        "QwenImageTransformerBlock",
        "SD3SingleTransformerBlock",
        "ZImageControlTransformerBlock",
        "ZImageTransformerBlock",
    }
)
#: One graph for each shape that a block sees: some sixty of pictures, at up to three depths of a U-Net, and with guides
#: some more. Whatever comes then is computed without being compiled.
_MOST_GRAPHS = 512
_BACKEND = "inductor"
_COMPILERS = {"cuda": ("CC", ("gcc", "clang", "cc")), "cpu": ("CXX", ("g++", "clang++", "c++"))}


def compile_network(net: Any, how: str, *, varying: bool) -> None:
    """Compile `net` when it is called next; `how` is one of `inpaint_core.acceleration.COMPILING`.

    Each shape has a graph of its own, so that the bits of a picture depend on its shape alone. Torch's default, a graph
    for the first shape and one for all others, would make them depend on what the worker painted before. With `varying`
    token counts one graph has to serve all; the worker's first job, which is always the same, makes it.
    """
    if how == "compile":
        for module in net.modules():
            if type(module).__name__ in BLOCKS and not is_compiled(module):
                # Hooks stay outside, such as those of step caches, which decide whether a block is called at all.
                module.forward = _compiled(module.forward, varying)
        return
    if how == "cuda-graphs":
        compiled = graphed(_compiled(net.forward, varying, mode="reduce-overhead"))
    else:
        compiled = _compiled(net.forward, varying)
    net.forward = net.compiled_whole = _Whole(net.forward, compiled)


class _Whole:
    """The forward of a network that is compiled as a whole, which can be computed plainly as well."""

    def __init__(self, plain: Callable[..., Any], compiled: Callable[..., Any]) -> None:
        functools.update_wrapper(self, plain)  # diffusers asks for its signature
        self._plain = plain
        self._compiled = compiled
        self.plainly = False

    def __call__(self, *args: Any, **told: Any) -> Any:
        return (self._plain if self.plainly else self._compiled)(*args, **told)


@contextlib.contextmanager
def in_blocks(net: Any) -> Iterator[None]:
    """While this lasts, `net` is not compiled as a whole: for what chooses among its blocks. These may be compiled."""
    whole: _Whole | None = getattr(net, "compiled_whole", None)
    if whole is None:
        yield
        return
    whole.plainly = True
    try:
        yield
    finally:
        whole.plainly = False


def _compiled(forward: Callable[..., Any], varying: bool, **options: Any) -> Any:
    return torch.compile(forward, dynamic=varying, backend=_BACKEND, **options)


@contextlib.contextmanager
def many_graphs() -> Iterator[None]:
    """While this lasts, a network may have as many graphs as it sees shapes; torch's own limit is 8.

    Torch keeps its settings by thread and context: what is set while a model is loaded may not hold when it is run.
    """
    with torch._dynamo.config.patch(recompile_limit=_MOST_GRAPHS, accumulated_recompile_limit=_MOST_GRAPHS):
        yield


def graphed(compiled: Callable[..., Any]) -> Callable[..., Any]:
    """A function that torch runs as a CUDA graph, with results that stay.

    Torch writes those of the next call into the same memory. Schedulers keep some for the steps that follow, and
    guidance calls the network twice before it looks at either.
    """

    @functools.wraps(compiled)
    def call(*args: Any, **told: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return _pytree.tree_map_only(torch.Tensor, torch.clone, compiled(*args, **told))

    return call


def is_compiled(module: Any) -> bool:
    """Whether its `forward` is compiled when it is called, by itself and not as part of another."""
    return hasattr(module, "compiled_whole") or hasattr(module.forward, "_torchdynamo_orig_callable")


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """While this lasts, what is compiled is computed without: for what changes with each job."""
    with torch.compiler.set_stance("force_eager"):
        yield


def forget_graphs() -> None:
    """Give back the GPU memory that CUDA graphs hold. They are made again, from what was compiled, when needed."""
    torch.compiler.reset()


def no_compiler(device: str) -> str | None:
    """Why nothing can be compiled here, or None. Torch writes kernels, and a compiler of C what starts them."""
    variable, names = _COMPILERS[device]
    wanted = os.environ.get(variable)
    if any(shutil.which(name) for name in ((wanted,) if wanted else names)):
        return None
    if wanted:
        return f"needs the compiler {wanted} that {variable} names, which is not there"
    return f"needs a C compiler, and none of {', '.join(names)} is there (Debian: apt-get install g++ python3-dev)"


def keep_compiled(folder: Path | None) -> None:
    """Have torch keep what it compiles in `folder`, and use what it finds there. Call it before anything is compiled.

    Raises `SettingsInvalid` for a folder that cannot be written, or that anybody may write: it holds code.
    """
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".written-by-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsInvalid(
            f"INPAINT_COMPILE_CACHE is {folder}, and nothing can be written there ({error.strerror}). Make it a folder "
            f"of the user with the number {os.getuid()}, or unset it.",
            names=["compile_cache"],
        ) from error
    if folder.stat().st_mode & stat.S_IWOTH:
        raise SettingsInvalid(
            f"INPAINT_COMPILE_CACHE is {folder}, where anybody may write, and workers run what they find there. "
            f"Take that right away (chmod o-w {folder}), or name another folder.",
            names=["compile_cache"],
        )
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "inductor")
    os.environ["TRITON_CACHE_DIR"] = str(folder / "triton")
