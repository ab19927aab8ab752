"""Processes that measure: as many as there are cores, gone when the one that began them is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def measuring_processes(
    count: int, begin: Callable[..., None], *arguments: Any
) -> Iterator[Callable[..., Future[Any]]]:
    """What submits to them. `begin` is called once in each. What has not begun when the block is left is dropped."""
    # Not forked: connections and threads of this process must not be shared.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(begin, arguments))

    def submit(*call: Any) -> Future[Any]:
        with _interrupts_ignored():  # the first call starts them
            return pool.submit(*call)

    try:
        yield submit
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    # Ctrl-C reaches the whole group of a terminal: one end without a word, not a traceback of each.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process inherits that it is to ignore them: it would tell at length where its imports were interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
