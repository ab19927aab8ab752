"""Where in a dataset something is wrong: the file, and the line, row or key in it, before what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_core.errors import RequestError


@contextmanager
def located(place: str, **facts: object) -> Iterator[None]:
    """A `RequestError` inside keeps its kind and its facts, is given `facts`, and its message begins with `place`."""
    try:
        yield
    except RequestError as error:
        raise type(error)(f"{place}: {error.message}", **{**error.facts, **facts}) from None
