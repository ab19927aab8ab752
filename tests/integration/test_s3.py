from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError

import pytest
from inpaint_core.errors import (
    AccessDenied,
    ImageTooLarge,
    NotConfigured,
    ObjectNotFound,
    RequestError,
    StorageUnavailable,
)
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, load_settings
from inpaint_core.storage import ObjectRef
from outages import Gate, closed_port
from pydantic import SecretStr

LIMIT = 1 << 20


@pytest.fixture
def ref(store: S3Store) -> ObjectRef:
    return ObjectRef(store.bucket, "in/room ü+1.png")


def other(settings: Settings, **values: object) -> S3Store:
    return S3Store(settings.model_copy(update=values))


def test_what_was_stored_is_read_back(store: S3Store, ref: ObjectRef) -> None:
    store.put(ref, b"first", "image/png")
    store.put(ref, b"second", "image/png")
    assert store.get(ref, LIMIT) == b"second"
    assert store.stat(ref).size_bytes == 6


def test_an_empty_object_is_read_as_one(store: S3Store, ref: ObjectRef) -> None:
    store.put(ref, b"", "image/png")
    assert store.get(ref, LIMIT) == b""


def test_a_large_object_arrives_whole(store: S3Store, ref: ObjectRef) -> None:
    data = bytes(range(256)) * 40_000
    store.put(ref, data, "image/png")
    assert store.get(ref, len(data)) == data


def test_several_threads_share_a_store(store: S3Store) -> None:
    def there_and_back(number: int) -> bool:
        ref = ObjectRef(store.bucket, f"in/{number}")
        store.put(ref, str(number).encode(), "text/plain")
        return store.get(ref, LIMIT) == str(number).encode()

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(there_and_back, range(64)))


@pytest.mark.parametrize("act", [lambda s, r: s.get(r, LIMIT), lambda s, r: s.stat(r)], ids=["get", "stat"])
def test_a_missing_object_is_named(store: S3Store, act: Callable[[S3Store, ObjectRef], object]) -> None:
    missing = ObjectRef(store.bucket, "in/none.png")
    with pytest.raises(ObjectNotFound, match=f"There is no object s3://{store.bucket}/in/none.png") as caught:
        act(store, missing)
    assert caught.value.ref == str(missing) and caught.value.exit_code == 3


def test_deleting_is_done_when_there_is_nothing(store: S3Store, settings: Settings, ref: ObjectRef) -> None:
    store.put(ref, b"x", "image/png")
    store.delete(ref)
    store.delete(ref)
    with pytest.raises(ObjectNotFound):
        store.stat(ref)
    store.delete(ObjectRef("no-such-bucket", "x"))


def test_an_object_beyond_the_limit_is_not_read(store: S3Store, ref: ObjectRef) -> None:
    store.put(ref, b"x" * 1000, "image/png")
    with pytest.raises(ImageTooLarge, match=r"1,000 bytes; at most 999 .*INPAINT_MAX_IMAGE_BYTES"):
        store.get(ref, 999)
    assert len(store.get(ref, 1000)) == 1000


def test_a_url_that_was_signed_opens_the_object_without_keys_and_no_other(store: S3Store, ref: ObjectRef) -> None:
    store.put(ref, b"picture", "image/png")
    url = store.presigned_get(ref, 60)
    with urllib.request.urlopen(url, timeout=5) as response:
        assert response.read() == b"picture"
    with pytest.raises(HTTPError) as caught, urllib.request.urlopen(url.replace("room", "rooms"), timeout=5):
        pass
    caught.value.close()
    assert caught.value.code in (403, 404)


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_a_bucket_is_made_once(settings: Settings) -> None:
    store = other(settings, s3_bucket=settings.s3_bucket + "-x")
    with pytest.raises(ObjectNotFound, match=r"has no bucket .*inpaint storage init"):
        store.check()
    try:
        assert store.ensure_bucket() is True
        assert store.ensure_bucket() is False
        store.check()
    finally:
        store._client.remove_bucket(store.bucket)


def test_storing_into_a_bucket_that_does_not_exist_says_so(settings: Settings) -> None:
    store = other(settings, s3_bucket="no-such-bucket")
    with pytest.raises(ObjectNotFound, match=r"no bucket 'no-such-bucket'.*inpaint storage init"):
        store.put(ObjectRef("no-such-bucket", "x"), b"x", "image/png")


def test_only_the_buckets_that_were_allowed_may_be_named(store: S3Store, settings: Settings) -> None:
    foreign = ObjectRef("foreign-bucket", "x.png")
    with pytest.raises(RequestError, match=r"may not name; allowed: .*INPAINT_S3_READ_BUCKETS"):
        store.get(foreign, LIMIT)
    with pytest.raises(ObjectNotFound):
        other(settings, s3_read_buckets=("foreign-bucket",)).get(foreign, LIMIT)


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"s3_secret_key": SecretStr("hunter2hunter2")}, {"s3_access_key": "nobody"}], ids=["secret", "access"]
)
@pytest.mark.parametrize(
    "act",
    [
        lambda s, r: s.get(r, LIMIT),
        lambda s, r: s.stat(r),
        lambda s, r: s.put(r, b"x", "image/png"),
        lambda s, r: s.check(),
    ],
    ids=["get", "stat", "put", "check"],
)
def test_wrong_keys_are_said_to_be_wrong_and_not_shown(
    settings: Settings, ref: ObjectRef, wrong: dict[str, object], act: Callable[[S3Store, ObjectRef], object]
) -> None:
    with pytest.raises(AccessDenied, match=r"refused the credentials.*INPAINT_S3_SECRET_KEY") as caught:
        act(other(settings, **wrong), ref)
    assert "hunter2" not in str(caught.value)


def test_a_store_that_is_away_is_known_quickly_with_its_address(settings: Settings, ref: ObjectRef) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    started = time.monotonic()
    with pytest.raises(StorageUnavailable, match=f"S3 at {url} does not answer") as caught:
        other(settings, s3_url=url).get(ref, LIMIT)
    assert time.monotonic() - started < 2
    assert caught.value.service == "S3" and caught.value.address == url


def test_a_store_that_hangs_is_not_waited_for_as_long_as_the_sdk_would(store: S3Store) -> None:
    kept = store._client._http.connection_pool_kw
    assert kept["timeout"].connect_timeout <= 5 and kept["timeout"].read_timeout <= 30
    assert kept["retries"].total <= 3


def test_a_store_that_comes_back_is_used_again(
    settings: Settings, store: S3Store, ref: ObjectRef, gate: Callable[[str], Gate]
) -> None:
    assert settings.s3_url is not None
    way = gate(settings.s3_url)
    through = other(settings, s3_url=way.url)
    through.put(ref, b"x", "image/png")
    way.shut()
    with pytest.raises(StorageUnavailable):
        through.get(ref, LIMIT)
    way.open()
    assert through.get(ref, LIMIT) == b"x"


def test_no_store_configured_is_a_sentence() -> None:
    with pytest.raises(NotConfigured, match="INPAINT_S3_URL"):
        S3Store(load_settings())


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """A server that gives every request the same answer and hangs up; its URL."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, answer: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def keys(url: str) -> Settings:
    return load_settings(s3_url=url, s3_access_key="key", s3_secret_key="secretsecret")


def test_an_object_that_breaks_off_is_not_taken_for_whole(answering: Callable[[bytes], str]) -> None:
    url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: x\r\n\r\nonly this")
    with pytest.raises(StorageUnavailable, match="S3 at "):
        S3Store(keys(url)).get(ObjectRef("inpaint", "x.png"), LIMIT)


def test_an_object_without_a_length_is_limited_all_the_same(answering: Callable[[bytes], str]) -> None:
    url = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5000)
    with pytest.raises(ImageTooLarge):
        S3Store(keys(url)).get(ObjectRef("inpaint", "x.png"), 1000)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down", "502 Bad Gateway"])
def test_a_store_in_trouble_is_away(answering: Callable[[bytes], str], status: str) -> None:
    url = answering(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    with pytest.raises(StorageUnavailable, match="S3 at "):
        S3Store(keys(url)).get(ObjectRef("inpaint", "x.png"), LIMIT)


def test_something_that_is_not_s3_is_a_sentence(answering: Callable[[bytes], str]) -> None:
    page = b"<html>Welcome</html>"
    url = answering(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n" + page)
    with pytest.raises((StorageUnavailable, ObjectNotFound)):
        S3Store(keys(url)).get(ObjectRef("inpaint", "x.png"), LIMIT)
