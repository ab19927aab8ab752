"""Operators: who has entered INPAINT_WEB_TOKEN, and the stamp by which their browser is known for a while."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable

#: Seconds for which a stamp holds.
STAMP_S = 12 * 3600


class Operators:
    """Makes stamps and reads them. `fetch`: the deployment's own secret, asked for once.

    A stamp is made with that secret, which no visitor has: a password can be tried at the door alone, where tries are
    counted, and not by making stamps with it. Another password, or another secret, ends all stamps.
    """

    def __init__(self, password: str | None, fetch: Callable[[], bytes]) -> None:
        self._password = password
        self._fetch = fetch
        self._key: bytes | None = None
        self._lock = threading.Lock()

    @property
    def exist(self) -> bool:
        """Whether there is a password at all."""
        return self._password is not None

    def is_password(self, given: str) -> bool:
        """Whether that is it. Whoever calls this counts the tries."""
        if self._password is None:
            return False
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._password.encode())

    def stamp(self, now: float | None = None) -> str:
        """For the cookie: when it ends, and proof that this site made it."""
        until = int((time.time() if now is None else now) + STAMP_S)
        return f"{until}.{self._proof(until)}"

    def holds(self, stamp: str | None, now: float | None = None) -> bool:
        """Whether this site made the stamp, for the password of now, and it has not ended."""
        if not stamp or self._password is None:
            return False
        until, _, proof = stamp.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 13):
            return False
        genuine = hmac.compare_digest(proof.encode(), self._proof(int(until)).encode())
        return genuine and int(until) > (time.time() if now is None else now)

    def _proof(self, until: int) -> str:
        password = hashlib.sha256((self._password or "").encode()).hexdigest()
        said = f"inpaint operator until {until} by {password}"
        return hmac.new(self._secret(), said.encode(), hashlib.sha256).hexdigest()

    def _secret(self) -> bytes:
        with self._lock:
            if self._key is None:
                self._key = self._fetch()
            return self._key
