"""Fields of a request as people type them: on the command line, and in the cells of a CSV file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inpaint_core.errors import InvalidRequest

if TYPE_CHECKING:
    from inpaint_core.card import ModelCard
    from inpaint_core.job import ParameterValue

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")
_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def split_assignment(text: str, what: str) -> tuple[str, str]:
    """`name=value` in two; `InvalidRequest` without a name or an equals sign."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidRequest(f"{what} {text!r} must be name=value.", field=what)
    return name.strip(), value.strip()


def parameter_value(text: str, name: str, card: ModelCard | None) -> ParameterValue:
    """The value of a parameter in the type that its model declares. The model itself checks name and range.

    Without a card, numbers are read as numbers, and true and false as what they say.
    """
    rule = card.parameters.get(name) if card else None
    if rule is not None and rule.type == "choice":
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parameters(assignments: Iterable[str], card: ModelCard | None) -> dict[str, ParameterValue]:
    """`radius=7` and its like, as `-p` takes them."""
    pairs = (split_assignment(text, "parameter") for text in assignments)
    return {name: parameter_value(value, name, card) for name, value in pairs}


def tags(assignments: Iterable[str]) -> dict[str, str]:
    """`room=kitchen` and its like, as `--tag` takes them."""
    return dict(split_assignment(text, "tag") for text in assignments)


def box(text: str) -> list[int]:
    """`left,top,right,bottom` in pixels, as `--box` takes it. What it may be is the request's to check."""
    try:
        left, top, right, bottom = (int(number) for number in text.split(","))
    except ValueError:
        raise InvalidRequest(
            f"box {text!r} must be four whole numbers LEFT,TOP,RIGHT,BOTTOM, such as 120,80,320,240.", field="mask"
        ) from None
    return [left, top, right, bottom]


def polygon(text: str) -> list[list[float]]:
    """`x,y x,y x,y` in pixels, as `--polygon` takes it."""
    try:
        points = [[float(number) for number in point.split(",")] for point in text.split()]
    except ValueError:
        points = []
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise InvalidRequest(
            f'polygon {text!r} must be three corners or more, each X,Y, with spaces between: "10,10 90,10 50,80".',
            field="mask",
        )
    return points


def seed(text: str) -> int:
    """A seed; its range is the request's to check."""
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest(f"seed {text!r} must be an integer.", field="seed") from None


#: Longer spans are slips, and some would end after the last year that there is.
_LONGEST_S = 10 * 365 * 86_400


def span_s(text: str) -> float:
    """A length of time in seconds: 90s, 30m, 2h, 1d."""
    match = _SPAN.fullmatch(text.strip().lower())
    if not match:
        raise InvalidRequest(f"{text!r} is not a length of time; write 90s, 30m, 2h or 1d.")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if seconds > _LONGEST_S:
        raise InvalidRequest(f"{text!r} is longer than ten years.")
    return seconds


def deadline(text: str, now: datetime | None = None) -> datetime:
    """A deadline: from now (30m, 2h), or a time in ISO 8601; one without a zone is local time."""
    now = now or datetime.now(UTC)
    if _SPAN.fullmatch(text.strip().lower()):
        return now + timedelta(seconds=span_s(text))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(
            f"deadline {text!r} must be a time from now (30m, 2h) or in ISO 8601 ({now:%Y-%m-%dT%H:%M}Z).",
            field="deadline",
        ) from None
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(f"deadline {text!r} is too far away.", field="deadline") from None
    if moment <= now:
        raise InvalidRequest(f"deadline {text!r} has passed (it is {now:%Y-%m-%d %H:%M:%S} UTC).", field="deadline")
    return moment
