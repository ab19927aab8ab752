"""A TCP proxy on loopback that is as bad a network as it is told to be."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Literal

#: pass: as it comes. refuse: nobody listens. slow: a pause in front of each piece. cut_down and cut_up: the connection
#: breaks in the middle of what the server, or the client, sends.
Weather = Literal["pass", "refuse", "slow", "cut_down", "cut_up"]
_PIECE_BYTES = 16_384
_PAUSE_S = 0.4


class FaultyProxy:
    """Stands in front of one server. `weather` may change at any time."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._weather: Weather = "pass"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    @property
    def weather(self) -> Weather:
        """What it does at the moment."""
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        if weather == "refuse":
            self._stop_listening()
            self._break_all()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        """End all connections."""
        self._stop_listening()
        self._break_all()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True, name="proxy").start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # Closing alone would leave the thread in accept(), and the port open with it.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _break_all(self) -> None:
        with self._lock:
            broken = list(self._open)
        for each in broken:
            _break(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, target, cut in ((near, far, "cut_up"), (far, near, "cut_down")):
                threading.Thread(target=self._copy, args=(source, target, cut), daemon=True, name="proxy").start()

    def _copy(self, source: socket.socket, target: socket.socket, cut: Weather) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                if self._weather == "slow":
                    time.sleep(_PAUSE_S)
                if self._weather == cut:
                    # Half of it arrives: a head without its body, or a body without its end.
                    target.sendall(data[: len(data) // 2])
                    _break(target)
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, target}
        source.close()


def _break(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Reset instead of a polite end, which a reader might take for the end of the data.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RDWR)
