"""Classifier-free guidance for the first steps only: the others need half of the network's work.

Guidance asks a network twice, with the prompt and without, and goes on in the direction of the difference. Late in the
work the two hardly differ (Castillo et al., https://arxiv.org/abs/2312.12487), and there guidance can harm
(Kynkäänniemi et al., https://arxiv.org/abs/2404.07724).

Pipelines of diffusers decide for guidance before their first step. Here they go on as if with it, and what they are
given for the negative prompt is what the network says of the prompt: the difference is then zero, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch


class GuidanceLimit:
    """Of one call of a pipeline with so many `steps`: guidance for the share `until` of them, rounded up.

    `spared` is told the network's name and how many pictures it was not asked for.
    """

    def __init__(self, until: float, steps: int, spared: Callable[[str, int], None]) -> None:
        self._guided = math.ceil(until * steps)
        self._spared = spared
        self._done = 0
        #: What each network said of the prompt in this step, if it was asked for that alone.
        self._said: dict[str, Any] = {}

    def step_done(self) -> None:
        """The next call of a network is the first of another step."""
        self._done += 1
        self._said.clear()

    def end(self) -> None:
        """Let go of what networks said."""
        self._said.clear()

    def ask(self, name: str, network: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What `network` says, for the prompt and for the negative prompt.

        Pipelines ask for both at once, the negative prompt first in the batch, or one after the other, the prompt
        first.
        """
        if self._done < self._guided:
            return network(*args, **named)
        pictures = batch(args, named)
        if name in self._said:
            self._spared(name, pictures)
            return self._said[name]
        if pictures == 1:
            self._said[name] = network(*args, **named)
            return self._said[name]
        self._spared(name, pictures // 2)
        return _twice(network(*_later_half(args, pictures), **_later_half(named, pictures)))


def batch(args: tuple[Any, ...], named: dict[str, Any]) -> int:
    """How many pictures a network is asked for: it is given them first, or by one of two names."""
    pictures = args[0] if args else named["sample"] if "sample" in named else named["hidden_states"]
    return len(pictures)


def _later_half(value: Any, whole: int) -> Any:
    """Of every tensor in `value` that has as many rows as the batch, the later half."""
    if isinstance(value, torch.Tensor):
        return value[whole // 2 :] if value.ndim and len(value) == whole else value
    if isinstance(value, dict):
        return {name: _later_half(part, whole) for name, part in value.items()}
    return type(value)(_later_half(part, whole) for part in value) if isinstance(value, list | tuple) else value


def _twice(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.cat([value, value])
    return type(value)(_twice(part) for part in value) if isinstance(value, list | tuple) else value
