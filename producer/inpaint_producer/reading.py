"""Reading the images of many specs: several at a time, and each only once, however many specs name it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias, TypeVar

from inpaint_core.errors import RequestError

from inpaint_producer.intake import Use
from inpaint_producer.spec import ImageSource

_AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")
#: What has to be read, told apart from others by its key.
Want: TypeAlias = "tuple[Hashable, Callable[[], T]]"


def key_of(image: ImageSource, use: Use) -> Hashable:
    """What tells an image and its use apart from others."""
    # Pictures and bytes by identity: comparing them would cost more than it saves.
    return (str(image) if isinstance(image, str | Path) else id(image), use)


def each_once(wants: Sequence[Want[T]]) -> list[T | RequestError]:
    """What each comes to, or why it cannot be had. What several want is read once."""
    reads = dict(wants)
    found = dict(zip(reads, in_threads(_tried, reads.values()), strict=True))
    return [found[key] for key, _ in wants]


def _tried(read: Callable[[], T]) -> T | RequestError:
    try:
        return read()
    except RequestError as error:
        return error


def until_error(found: Sequence[T | RequestError]) -> list[T]:
    """Those before the first that cannot be had."""
    good = []
    for each in found:
        if isinstance(each, RequestError):
            break
        good.append(each)
    return good


def or_raise(found: T | RequestError) -> T:
    """What was found, or the error that was."""
    if isinstance(found, RequestError):
        raise found
    return found


def in_threads(act: Callable[[T], R], items: Collection[T]) -> list[R]:
    """`act` on each, several at a time: decoding lets go of the GIL, and uploads wait for the network."""
    if len(items) < 3:
        return [act(item) for item in items]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="intake") as threads:
        return list(threads.map(act, items))
