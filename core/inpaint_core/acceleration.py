"""What makes a diffusion model quicker and its picture hardly another: one list of words, on a card or as a setting."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

NONE = "none"
#: Instead of an acceleration, in settings: what the card of the model says.
AUTO: Literal["auto"] = "auto"
#: Ways to compile the network that a step calls; one of them at a time.
COMPILING: dict[str, str] = {
    "compile": "the blocks that repeat: one of them is compiled, all are quicker",
    "compile-whole": "the network as a whole: longer to compile, a little quicker",
    "cuda-graphs": "as a whole, and a step is one launch of the GPU: for small models",
}
_OTHERS: dict[str, str] = {
    "fuse-qkv": "one multiplication for queries, keys and values instead of three",
    "channels-last": "convolutions see the channels of a pixel beside each other",
    "half-vae": "the autoencoder stays in bfloat16 where it would compute in float32",
}
#: Those that change pictures by more than the last bits: models with and without are to be told apart.
_CHANGES_PICTURES = ("half-vae",)
#: Kernels of attention, and what they need besides torch.
ATTENTION: dict[str, str] = {
    "native": "torch's own choice",
    "cudnn": "cuDNN's, through torch",
    "efficient": "torch's memory-efficient kernel",
    "flash": "the package flash-attn",
    "flash-3": "the package flash-attn-3, for Hopper GPUs",
    "xformers": "the package xformers",
}
_ATTENTION = "attention="


def attention_word(name: str) -> str:
    """How the kernel `name` is chosen."""
    return _ATTENTION + name


#: Every word that a list may hold.
WORDS: tuple[str, ...] = (*COMPILING, *_OTHERS, *map(attention_word, ATTENTION))


@dataclass(frozen=True, slots=True)
class Acceleration:
    """How a model is made quicker. The arithmetic is the same, but for `half_vae`; its rounding may differ.

    Written as words with commas between them, e.g. `compile,fuse-qkv,attention=cudnn`; `none` is plain diffusers.
    """

    #: One of `COMPILING`, or None.
    compiling: str | None = None
    fuse_qkv: bool = False
    channels_last: bool = False
    half_vae: bool = False
    #: One of `ATTENTION`, or None: diffusers' default, which is native.
    attention: str | None = None

    @classmethod
    def parse(cls, text: str) -> Acceleration:
        """The words in `text`, in any order. Raises `ValueError` with what is wrong and what may be written."""
        words = [word.strip().lower() for word in text.split(",") if word.strip()]
        if AUTO in words and len(set(words)) > 1:
            others = ",".join(word for word in words if word != AUTO)
            raise ValueError(f"holds {AUTO} beside {others}: {AUTO} stands alone, so leave out one or the other")
        found = cls()
        for word in words:
            if word != NONE:
                found = found._with(word)
        if NONE in words and found:
            raise ValueError(f"holds {NONE} beside {found}: leave out one or the other")
        return found

    def _with(self, word: str) -> Acceleration:
        if word in COMPILING:
            if self.compiling not in (None, word):
                raise ValueError(f"compiles in two ways, {self.compiling} and {word}: leave one out")
            return replace(self, compiling=word)
        if word in _OTHERS:
            chosen: dict[str, Any] = {word.replace("-", "_"): True}
            return replace(self, **chosen)
        name = word.removeprefix(_ATTENTION)
        if word == name or name not in ATTENTION:
            near = get_close_matches(word, WORDS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"holds {word!r}{hint}; it may hold {NONE}, or some of {_listed(WORDS)}")
        if self.attention not in (None, name):
            raise ValueError(f"names two kernels of attention, {self.attention} and {name}: leave one out")
        return replace(self, attention=name)

    @property
    def words(self) -> tuple[str, ...]:
        """As it is written, in the order of `WORDS`; empty for none."""
        chosen = {
            self.compiling: self.compiling is not None,
            "fuse-qkv": self.fuse_qkv,
            "channels-last": self.channels_last,
            "half-vae": self.half_vae,
            attention_word(self.attention or ""): self.attention is not None,
        }
        return tuple(word for word in WORDS if chosen.get(word))

    def __str__(self) -> str:
        return ",".join(self.words) or NONE

    def __bool__(self) -> bool:
        return bool(self.words)

    def beyond(self, able: Collection[str]) -> tuple[str, ...]:
        """Those of its words that are not among `able`."""
        return tuple(word for word in self.words if word not in able)

    def problem(self, able: Collection[str]) -> str | None:
        """Why a model cannot have it that can only `able`, or None."""
        if not (beyond := self.beyond(able)):
            return None
        return f"cannot have {_listed(beyond)}; it can have {_listed(able) or NONE}"

    def without(self, left_out: Collection[str]) -> Acceleration:
        """The same but for some of its words."""
        return Acceleration.parse(",".join(self.beyond(left_out)))


def changes_pictures(written: str) -> str | None:
    """Of an acceleration, as an environment has it, the words that change pictures; None if there are none."""
    return ",".join(word for word in _CHANGES_PICTURES if word in written.split(",")) or None


#: Plain diffusers.
NOTHING = Acceleration()


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)


def _parsed(value: Any) -> Acceleration:
    if isinstance(value, Acceleration):
        return value
    if not isinstance(value, str):
        raise ValueError('must be one text, such as "compile,fuse-qkv"')
    return Acceleration.parse(value)


def _parsed_or_auto(value: Any) -> Any:
    return AUTO if isinstance(value, str) and value.strip().lower() == AUTO else _parsed(value)


#: A field of a card: written as text, and kept as such.
Accelerate = Annotated[Acceleration, BeforeValidator(_parsed), PlainSerializer(str, return_type=str)]
#: A setting.
AccelerateOrAuto = Annotated[
    Acceleration | Literal["auto"], BeforeValidator(_parsed_or_auto), PlainSerializer(str, return_type=str)
]
