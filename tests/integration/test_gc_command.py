"""`inpaint gc`, the cleaning beside the relay, and what both ask of the object store."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gc_scene import AgedStore, Scene
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import AccessDenied, ObjectNotFound, StorageUnavailable
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.retention import ADVISORY_LOCK
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, regular_cleaning
from inpaint_producer.relay import Relay
from outages import Gate, closed_port
from pydantic import SecretStr
from sqlalchemy import text


@pytest.fixture
def scene(settings: Settings, database: Database, client: InpaintClient) -> Scene:
    return Scene(settings, database, client)


@pytest.fixture
def gc(stack_env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`inpaint gc ARGUMENTS`."""

    def run(*arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        env = {**stack_env, **{f"INPAINT_{name.upper()}": str(value) for name, value in variables.items()}}
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", "gc", *arguments],
            env=env, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    return run


Gc = Callable[..., subprocess.CompletedProcess[str]]


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_what_the_next_run_deletes(scene: Scene, gc: Gc) -> None:
    scene.ended(days_ago=40)
    scene.ended(JobStatus.FAILED, days_ago=40, seed=1)
    stored = scene.stored()
    dry = json.loads(gc("--dry-run", "--json", keep_succeeded_days=30).stdout)
    assert dry["dry_run"] is True and dry["done"] is True and dry["objects_looked_at"] == 4
    assert dry["deleted"] == [
        # The row of its source was last used long ago; the object, stored just now, waits for its own day.
        {"kind": "image", "reason": "unused", "count": 1, "size_bytes": 0},
        {"kind": "job", "reason": "succeeded_long_ago", "count": 1, "size_bytes": 0},
        {"kind": "output", "reason": "job_deleted", "count": 1, "size_bytes": 9},
    ]
    assert scene.stored() == stored and len(scene.jobs()) == 2
    real = gc(keep_succeeded_days=30)
    assert real.returncode == 0, real.stderr
    lines = [line.split("\t") for line in real.stdout.splitlines()]
    assert lines[0] == ["what", "count", "size", "why"]
    assert ["jobs", "1", "", "succeeded longer ago than INPAINT_KEEP_SUCCEEDED_DAYS"] in lines
    assert ["outputs", "1", "9 bytes", "of jobs that go"] in lines
    assert "3 rows and objects deleted, 9 bytes; 4 objects looked at" in real.stderr
    assert len(scene.jobs()) == 1 and scene.missing() == set()
    again = gc(keep_succeeded_days=30)
    assert (again.returncode, again.stdout) == (0, "") and "0 rows and objects deleted" in again.stderr


def test_beside_another_cleaning_the_command_does_nothing_and_says_so(gc: Gc, database: Database) -> None:
    with database.autocommit() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        result = gc("--json")
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
    assert result.returncode == 0 and "another cleaning is at work" in result.stderr
    assert json.loads(result.stdout)["done"] is False


def test_a_missing_server_ends_it_with_4_and_a_missing_schema_with_7(gc: Gc, empty_database: Settings) -> None:
    away = f"127.0.0.1:{closed_port()}"
    for variables in ({"s3_url": f"http://{away}"}, {"postgres_url": f"postgresql://me@{away}/x"}):
        result = gc(**variables)
        assert result.returncode == 4 and away in result.stderr and "Traceback" not in result.stderr
    assert empty_database.postgres_url is not None
    behind = gc(postgres_url=empty_database.postgres_url.get_secret_value())
    assert behind.returncode == 7 and "inpaint db upgrade" in behind.stderr


# --- beside the relay -------------------------------------------------------------------------------------------------


@contextmanager
def relay_at_work(settings: Settings, on_sweep: Callable[[], None] = lambda: None) -> Iterator[None]:
    relay, stop = Relay(settings, load_catalogue()), threading.Event()
    thread = threading.Thread(target=lambda: relay.run(stop, on_sweep))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        relay.close()
    assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_the_relay_cleans_from_time_to_time(scene: Scene, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular_cleaning, "S3Store", AgedStore)
    for number in range(2):
        job_id = scene.ended(JobStatus.FAILED, seed=number)
        left = scene.put(f"outputs/{job_id}/1/left.png")
    with relay_at_work(settings.model_copy(update={"gc_interval_s": 0.3})):
        until(lambda: not scene.stored("outputs/"))
        scene.store.put(left, b"again", "image/png")
        until(lambda: not scene.stored("outputs/"))
    with relay_at_work(settings.model_copy(update={"gc_interval_s": 0})):
        scene.store.put(left, b"again", "image/png")
        time.sleep(0.5)
        assert scene.stored("outputs/")


def test_an_object_store_that_hangs_does_not_hold_up_the_relay(settings: Settings, gate: Callable[[str], Gate]) -> None:
    assert settings.s3_url is not None
    s3 = gate(settings.s3_url)
    s3.shut()
    sweeps: list[float] = []
    chosen = settings.model_copy(update={"s3_url": s3.url, "gc_interval_s": 0.1})
    with relay_at_work(chosen, lambda: sweeps.append(time.monotonic())):
        until(lambda: len(sweeps) > 10)


def test_a_relay_without_an_object_store_does_all_but_cleaning(settings: Settings) -> None:
    without = settings.model_copy(update={"s3_url": None, "s3_secret_key": None, "gc_interval_s": 0.1})
    assert regular_cleaning.start_cleaning(without, threading.Event()) is None
    sweeps: list[int] = []
    with relay_at_work(without, lambda: sweeps.append(1)):
        until(lambda: len(sweeps) > 3)


# --- the object store -------------------------------------------------------------------------------------------------


def test_a_listing_comes_in_pages_with_size_and_time(store: S3Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        refs = [ObjectRef(store.bucket, f"in/{i % 7}/{i:04} ü+1.png") for i in range(2100)]
        list(threads.map(lambda ref: store.put(ref, b"12345", "image/png"), refs))
    store.put(ObjectRef(store.bucket, "inside.png"), b"x", "image/png")
    pages = list(store.list_pages("in/"))
    assert [len(page) for page in pages] == [1000, 1000, 100]
    entries = [entry for page in pages for entry in page]
    assert {entry.ref for entry in entries} == set(refs)
    assert {entry.size_bytes for entry in entries} == {5}
    assert all(abs(entry.modified_at - datetime.now(UTC)) < timedelta(minutes=5) for entry in entries)
    assert list(store.list_pages("none/")) == []


def test_many_objects_are_deleted_at_once_whether_they_are_there_or_not(store: S3Store) -> None:
    refs = [ObjectRef(store.bucket, f"in/{i} ü&<+1.png") for i in range(30)]
    for ref in refs[:20]:
        store.put(ref, b"x", "image/png")
    store.put(kept := ObjectRef(store.bucket, "in/kept.png"), b"x", "image/png")
    store.delete_many(refs)
    store.delete_many([])
    assert [entry.ref for page in store.list_pages("in/") for entry in page] == [kept]


@pytest.mark.parametrize("act", [lambda s: list(s.list_pages("in/")), lambda s: s.delete_many([ObjectRef("b", "k")])])
def test_what_goes_wrong_with_many_is_said_as_with_one(settings: Settings, act: Callable[[S3Store], Any]) -> None:
    def other(**values: object) -> S3Store:
        return S3Store(settings.model_copy(update=values))

    with pytest.raises(StorageUnavailable, match="does not answer"):
        act(other(s3_url=f"http://127.0.0.1:{closed_port()}"))
    with pytest.raises(AccessDenied):
        act(other(s3_secret_key=SecretStr("hunter2hunter2")))
    with pytest.raises(ObjectNotFound, match="inpaint storage init"):
        act(other(s3_bucket="no-such-bucket"))
