"""One call of a pipeline in a quicker tier: what is left out, and a count of it. Afterwards nothing of it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from inpaint_core.tiers import TierUse

from inpaint_worker.pipelines.base import Work
from inpaint_worker.pipelines.guidance_limit import GuidanceLimit, batch
from inpaint_worker.pipelines.step_cache import StepCache

#: What may be the network of a step, and those that give it hints.
_DENOISERS = ("transformer", "unet")
_OTHERS = ("controlnet", "union")


class TierRun:
    """For a call of `pipe` with so many `steps`. `use` says what it leaves out."""

    def __init__(self, pipe: Any, use: TierUse, steps: int) -> None:
        found = {name: getattr(pipe, name, None) for name in (*_DENOISERS, *_OTHERS)}
        self._networks = {name: part for name, part in found.items() if isinstance(part, torch.nn.Module)}
        self._denoiser = next(name for name in _DENOISERS if name in self._networks)
        self._passes = self._left_out = 0
        self._cache = None if use.step_cache is None else StepCache(use.step_cache, self._guessed)
        self._limit = None if use.guidance_until is None else GuidanceLimit(use.guidance_until, steps, self._spared)

    @property
    def work(self) -> Work:
        """What it came to."""
        return Work(self._passes, self._passes - self._left_out)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While this lasts, the pipeline's networks leave something out."""
        with ExitStack() as stack:
            if self._cache is not None:
                stack.enter_context(self._cache.over(self._networks[self._denoiser]))
            for name, network in self._networks.items():
                stack.enter_context(_asked(network, self._way(name)))
            if self._limit is not None:
                stack.callback(self._limit.end)
            yield

    def counting(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The pipeline's callback after each step, `callback`; after it, the next step begins."""

        def step(*args: Any) -> Any:
            told = callback(*args)
            if self._cache is not None:
                self._cache.step_done()
            if self._limit is not None:
                self._limit.step_done()
            return told

        return step

    def _way(self, name: str) -> Callable[..., Any]:
        def ask(network: Callable[..., Any], *args: Any, **named: Any) -> Any:
            if name == self._denoiser:
                self._passes += batch(args, named)
            return network(*args, **named) if self._limit is None else self._limit.ask(name, network, args, named)

        return ask

    def _guessed(self, pictures: int) -> None:
        self._left_out += pictures

    def _spared(self, name: str, pictures: int) -> None:
        if name == self._denoiser:
            self._left_out += pictures


@contextmanager
def _asked(network: torch.nn.Module, way: Callable[..., Any]) -> Iterator[None]:
    """While this lasts, `network(...)` is `way(call, ...)`, with the network's own call.

    torch asks this attribute before all else (`torch.nn.Module.compile` sets it): hooks are behind it, such as those by
    which a ControlNet joins in. A hook instead could not answer in the network's place, and of a changed `forward`
    offloading, which changes it too, would know nothing.
    """
    compiled = network._compiled_call_impl
    call = network._call_impl if compiled is None else compiled

    def asked(*args: Any, **named: Any) -> Any:
        return way(call, *args, **named)

    network._compiled_call_impl = asked
    try:
        yield
    finally:
        network._compiled_call_impl = compiled
