"""First-block cache: a step of a transformer is guessed where its first block hardly says anything new.

If the first block adds to the picture's tokens what it added at the last step that was computed, but for a small share,
the other blocks are taken to add what they added then. This is ParaAttention's way
(https://huggingface.co/docs/diffusers/optimization/para_attn), after TeaCache (https://arxiv.org/abs/2411.19108).

diffusers has it as hooks (`FirstBlockCacheConfig`). Those count the hints of a ControlNet twice in each guessed step,
since what they reuse holds hints already; they replace what `torch.compile` has compiled; and after an exception they
keep what the next job must not see. Here nothing of the model is changed but the order in which its blocks are asked,
hints are always those of the step itself, and what is remembered ends with the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from inpaint_worker.pipelines.acceleration_compiling import in_blocks

#: What transformers of diffusers call their blocks, in the order of their work.
_BLOCKS = ("transformer_blocks", "single_transformer_blocks")


@dataclass(slots=True)
class _Stream:
    """The passes with one text. Tensors are those of the last pass that was computed, B x tokens x width."""

    #: What the first block added.
    said: torch.Tensor | None = None
    #: What the other blocks added, without the hints of a ControlNet.
    rest: torch.Tensor | None = None
    guessed: bool = False
    #: While a pass is computed: the first block's output, the last block's so far, and the sum of hints between them.
    begun: torch.Tensor | None = None
    left: torch.Tensor | None = None
    hints: torch.Tensor | None = None

    def is_near(self, said: torch.Tensor, threshold: float) -> bool:
        """Whether the first block adds nearly what it added before."""
        if self.said is None or self.rest is None or self.said.shape != said.shape:
            return False
        change = (said - self.said).abs().mean(dtype=torch.float32)
        return bool(change / self.said.abs().mean(dtype=torch.float32) < threshold)  # not for NaN


class StepCache:
    """The memory of one call of a pipeline. `guessed` is told how many pictures a guessed pass was for.

    Each text has passes of its own (with guidance, one for the prompt and one for the negative prompt): they are told
    apart by their order within a step, so `step_done` must be called after each.
    """

    def __init__(self, threshold: float, guessed: Callable[[int], None]) -> None:
        self._threshold = threshold
        self._guessed = guessed
        self._streams: list[_Stream] = []
        self._passes = 0

    @contextmanager
    def over(self, transformer: torch.nn.Module) -> Iterator[None]:
        """While this lasts, `transformer` guesses. Afterwards it is what it was."""
        children = {name: child for name, child in transformer.named_children() if name in _BLOCKS}
        plain = {name: child for name, child in children.items() if isinstance(child, torch.nn.ModuleList) and child}
        roles: list[Callable[..., Any]] = [self._middle] * sum(len(blocks) for blocks in plain.values())
        roles[0], roles[-1] = self._first, self._last
        # Compiled as a whole, it would be compiled again, with this in it.
        with in_blocks(transformer):
            try:
                for name, blocks in plain.items():
                    setattr(transformer, name, _Asked(blocks, roles[: len(blocks)]))
                    roles = roles[len(blocks) :]
                yield
            finally:
                for name, blocks in plain.items():
                    setattr(transformer, name, blocks)
                self._streams.clear()

    def step_done(self) -> None:
        """The next pass is the first of another step."""
        self._passes = 0

    def _first(self, block: Any, **given: Any) -> Any:
        while len(self._streams) <= self._passes:
            self._streams.append(_Stream())
        stream = self._streams[self._passes]
        self._passes += 1
        text, tokens = block(**given)
        said = tokens - given["hidden_states"]
        stream.guessed = stream.is_near(said, self._threshold)
        if stream.guessed:
            self._guessed(len(tokens))
        else:
            stream.said, stream.begun, stream.left, stream.hints, stream.rest = said, tokens, tokens, None, None
        return text, tokens

    def _middle(self, block: Any, **given: Any) -> Any:
        stream = self._streams[self._passes - 1]
        tokens = given["hidden_states"]
        if stream.guessed:
            return given["encoder_hidden_states"], tokens
        if tokens is not stream.left:  # a ControlNet added to what the block before gave
            assert stream.left is not None  # noqa: S101  (the first block set it)
            hint = tokens.float() - stream.left.float()
            stream.hints = hint if stream.hints is None else stream.hints + hint
        text, stream.left = block(**given)
        return text, stream.left

    def _last(self, block: Any, **given: Any) -> Any:
        stream = self._streams[self._passes - 1]
        if stream.guessed:
            return given["encoder_hidden_states"], given["hidden_states"] + stream.rest
        text, tokens = self._middle(block, **given)
        assert stream.begun is not None  # noqa: S101  (the first block set it)
        added = tokens.float() - stream.begun.float()
        stream.rest = (added if stream.hints is None else added - stream.hints).to(tokens.dtype)
        stream.begun = stream.left = stream.hints = None
        return text, tokens


class _Asked(torch.nn.ModuleList):
    """The same blocks by the same names, each asked by way of one of the cache's methods where a forward loops."""

    def __init__(self, blocks: Any, ways: list[Callable[..., Any]]) -> None:
        super().__init__(blocks)
        self._ways = ways

    def __iter__(self) -> Iterator[Any]:
        return (_Block(block, way) for block, way in zip(self._modules.values(), self._ways, strict=True))


class _Block:
    """What a forward sees of a block."""

    def __init__(self, block: Any, way: Callable[..., Any]) -> None:
        self._block = block
        self._way = way

    def __call__(self, **given: Any) -> Any:
        return self._way(self._block, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)
