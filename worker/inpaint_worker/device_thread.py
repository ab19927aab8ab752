"""The one thread of a process on which a model is loaded and run."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

import structlog

_Made = TypeVar("_Made")


class DeviceThread:
    """Runs what it is given, one after the other, always in the same thread.

    Torch keeps what it needs by thread: the CUDA graphs that it has captured (before 2.13), and the settings of its
    compiler (since 2.13). What one thread compiled, the next would fail with, or compile again. Celery's threads are
    several, and none of them is the one that loads.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        # A daemon: a call that does not return must not keep the process.
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._start = threading.Lock()
        self._busy = False

    @property
    def busy(self) -> bool:
        """Something is being run: the one who waited for it may have left."""
        return self._busy

    def call(self, do: Callable[[], _Made]) -> _Made:
        """Run `do` and wait for it: what it returns, or raises. Log lines from it tell what the caller's would."""
        with self._start:
            if self._thread.ident is None:
                self._thread.start()
        future: Future[_Made] = Future()
        self._calls.put((future, functools.partial(_bound, structlog.contextvars.get_contextvars(), do)))
        try:
            return future.result()
        finally:
            del future  # it holds what was raised, which holds this frame: pictures would live on with both

    def _serve(self) -> None:
        while True:
            self._run(*self._calls.get())

    def _run(self, future: Future[Any], do: Callable[[], Any]) -> None:
        self._busy = True
        try:
            made, failed = do(), None
        except BaseException as error:  # noqa: BLE001  (it is the caller's)
            made, failed = None, error
        self._busy = False
        if failed is None:
            future.set_result(made)
        else:
            future.set_exception(failed)
        del future, failed  # as above


def _bound(told: dict[str, Any], do: Callable[[], _Made]) -> _Made:
    with structlog.contextvars.bound_contextvars(**told):
        return do()
