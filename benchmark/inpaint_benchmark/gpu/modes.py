"""Modes: what a worker can be started with, and what a job can ask of it, written as one word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_core.acceleration import AUTO, Acceleration
from inpaint_core.errors import InvalidRequest
from inpaint_core.tiers import Tier

from inpaint_benchmark.gpu.candidates import CANDIDATES

_TIER = "+"


@dataclass(frozen=True, slots=True)
class Mode:
    """A value of `INPAINT_ACCELERATE` and a tier; `compile,fuse-qkv+fast` is both."""

    #: `auto`, `candidates`, `none`, or words with commas between them.
    accelerate: str
    tier: Tier = Tier.EXACT

    def __str__(self) -> str:
        return self.accelerate if self.tier is Tier.EXACT else f"{self.accelerate}{_TIER}{self.tier}"

    @classmethod
    def parse(cls, text: str) -> Mode:
        """`InvalidRequest` says what is wrong with it and what may be written."""
        words, mark, name = text.strip().lower().rpartition(_TIER)
        if not mark:
            words, name = name, Tier.EXACT
        try:
            tier = Tier(name.strip())
        except ValueError:
            tiers = ", ".join(Tier)
            raise InvalidRequest(
                f"The mode {text!r} asks for the tier {name!r}, and there is none; there are: {tiers}. A mode is "
                "ACCELERATE or ACCELERATE+TIER, such as compile,fuse-qkv+fast.",
                field="modes",
            ) from None
        return cls(_accelerate(text, words), tier)


def parse_modes(texts: Sequence[str]) -> list[Mode]:
    """Each text holds one mode, or several with spaces between them. The same mode twice counts once."""
    words = [word for text in texts for word in text.split()]
    if not words:
        raise InvalidRequest("No mode is named. Try --modes none, or --modes 'none compile'.", field="modes")
    return list(dict.fromkeys(Mode.parse(word) for word in words))


def _accelerate(mode: str, words: str) -> str:
    if words.strip().startswith(",") or words.strip().endswith(","):
        raise InvalidRequest(
            f"The mode {mode!r} begins or ends with a comma. The words of one mode have commas and no spaces between "
            "them: --modes compile,fuse-qkv; several modes have spaces: --modes 'none compile'.",
            field="modes",
        )
    if words.strip() in (AUTO, CANDIDATES):
        return words.strip()
    try:
        return str(Acceleration.parse(words))
    except ValueError as error:
        several = {AUTO, CANDIDATES, "none"} & set(words.split(","))
        hint = " Several modes have spaces between them: --modes 'none auto'." if several else ""
        raise InvalidRequest(f"The mode {mode!r} {error}.{hint}", field="modes") from None
