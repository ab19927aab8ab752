"""How long a client may take to say what it wants: uvicorn itself waits for ever while a request trickles in."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds for the head of a request, from when the connection was opened or an earlier answer ended on.
HEAD_S = 15.0


class PatientProtocol(H11Protocol):
    """Closes a connection on which no whole head has arrived in time. Bodies: see `inpaint_web.security.guard`."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and says nothing yet."""
        super().connection_made(transport)
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Bytes have come: a head may be complete now."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """The next request may be a while in coming, and then has to come whole."""
        self._wait(self.timeout_keep_alive + HEAD_S)
        super().on_response_complete()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
