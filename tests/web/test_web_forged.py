"""Requests that no page of this site makes: from elsewhere, too large, too slow, of the wrong kind."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import uvicorn
from inpaint_web import patience
from inpaint_web.errors import TooSlow
from inpaint_web.security import guard
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message
from web_scene import Rated

BODY = {"criterion": "realism", "stars": 3, "duration_s": 3}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://testserver"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({}, 403),
    ],
)
def test_only_pages_of_this_site_may_save(ada: TestClient, rated: Rated, headers: dict[str, str], status: int) -> None:
    del ada.headers["origin"]
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    answer = ada.put(path, json=BODY, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "cross_site"


def test_large_bodies_are_refused_whether_or_not_they_say_their_length(ada: TestClient, rated: Rated) -> None:
    path = f"/api/sessions/{rated.session_id}/items/1/ratings/{uuid4()}"
    assert ada.put(path, content=b"x" * 20_000).status_code == 413
    assert ada.put(path, content=(b"x" * 4_000 for _ in range(10))).status_code == 413
    assert ada.put(path, content=b"{}", headers={"content-length": "-1"}).status_code in (400, 413)
    assert ada.put(path, content=b"not json", headers={"content-type": "application/json"}).status_code == 400


def test_a_body_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.05)

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    # In a thread: a browser of another test may have a loop in this one.
    with ThreadPoolExecutor(1) as pool, pytest.raises(TooSlow):
        pool.submit(lambda: asyncio.run(guard._body(receive))).result(30)


@pytest.fixture
def patient_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which an empty application is served as ours is, with half a second for a head."""
    monkeypatch.setattr(patience, "HEAD_S", 0.5)
    config = uvicorn.Config(Starlette(), http=patience.PatientProtocol, log_config=None, timeout_keep_alive=0)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def test_a_head_that_does_not_end_is_not_waited_for(patient_server: int) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for before in (b"", whole):
        with socket.create_connection(("127.0.0.1", patient_server), timeout=10) as client:
            client.sendall(before + b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
            deadline = time.monotonic() + 10
            ended = False
            while not ended and time.monotonic() < deadline:
                try:
                    client.sendall(b"a")
                    time.sleep(0.05)
                    client.setblocking(False)
                    ended = client.recv(1_000) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    ended = True
                client.settimeout(10)
            assert ended


def test_a_method_that_an_address_does_not_take_is_said_so(anybody: TestClient) -> None:
    answer = anybody.put("/enter")
    assert answer.status_code == 405 and answer.headers["allow"] in ("GET", "POST")
