"""Options of importers: values as code or a command line gives them, and refusals that say what there is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inpaint_core.edit import Polarity
from inpaint_core.errors import InvalidRequest

from inpaint_benchmark.datasets.facts import unknown

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def polarity(value: object, kind: str, why: str) -> Polarity:
    """Which pixels of the masks mark. `why` a caller must say it where the format does not."""
    if value is None:
        raise InvalidRequest(
            f"Say the polarity of the masks: {why} `white` if white is repainted, `black` if black is, `transparent` "
            f"if what is transparent is. A wrong one has a model repaint all that should be kept (kind {kind}).",
            field="polarity",
        )
    return Polarity(choice(value, "polarity", [str(item) for item in Polarity]))


def drawn_polarity(value: object, kind: str) -> Polarity:
    """The same for masks that are no pictures, and so cannot be transparent."""
    found = polarity(value, kind, "")
    if found is Polarity.TRANSPARENT:
        raise InvalidRequest(
            f"The masks of {kind} are runs of pixels, which have no transparency. `white` means that runs are "
            "repainted, `black` that all else is.",
            field="polarity",
        )
    return found


def choice(value: object, name: str, choices: Sequence[str]) -> str:
    """One of `choices`."""
    if str(value) not in choices:
        raise InvalidRequest(unknown(str(value), choices, name), field=name)
    return str(value)


def truth(value: object, name: str) -> bool:
    """Yes or no."""
    found = _TRUTHS.get(str(value).lower())
    if found is None:
        raise InvalidRequest(f"{name} must be true or false, found {value!r}.", field=name)
    return found


def pixels(value: object, name: str) -> tuple[int, int]:
    """A size as (width, height) or "512x512"."""
    text = "x".join(str(part) for part in value) if isinstance(value, tuple | list) else str(value)
    if not re.fullmatch(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}", text, re.ASCII):
        raise InvalidRequest(f"{name} must be a width and a height such as 512x512, found {value!r}.", field=name)
    width, height = text.split("x")
    return int(width), int(height)
