from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from factories import job_row, make_job, make_jobs, make_running, make_spec, make_worker, try_claim
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import BrokerUnavailable, DatabaseUnavailable, SchemaBehind
from inpaint_core.queues import queue_depths, redis_lists
from inpaint_core.settings import Settings
from inpaint_db.claims import AttemptReport, requeue
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from outages import Gate
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import text

MODEL = "opencv-telea"


@pytest.fixture
def make_relay() -> Iterator[Callable[[Settings], Relay]]:
    relays: list[Relay] = []

    def make(settings: Settings) -> Relay:
        relays.append(Relay(settings, load_catalogue()))
        return relays[-1]

    yield make
    for relay in relays:
        relay.close()


@pytest.fixture
def relay(make_relay: Callable[[Settings], Relay], settings: Settings) -> Relay:
    return make_relay(settings)


def age(database: Database, seconds: float) -> None:
    """Let time pass for all jobs."""
    with database.begin() as connection:
        connection.execute(
            text("""UPDATE job SET queued_at = queued_at - make_interval(secs => :s),
                           not_before = not_before - make_interval(secs => :s),
                           published_at = published_at - make_interval(secs => :s),
                           lease_until = lease_until - make_interval(secs => :s)"""),
            {"s": seconds},
        )


def until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_what_a_producer_did_not_send_is_sent_to_the_list_of_its_priority(
    relay: Relay, database: Database, redis: Redis
) -> None:
    with database.begin() as connection:
        for priority in ("high", "normal", "low"):
            make_job(connection, priority=priority)
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 0}  # the producer has its time first
    age(database, 5)
    relay.sweep()
    relay.sweep()
    assert [redis.llen(name) for name in redis_lists(MODEL)] == [0, 1, 0, 0, 1, 0, 0, 1, 0, 0]


def test_what_a_producer_did_send_is_not_sent_again(relay: Relay, client: InpaintClient, redis: Redis) -> None:
    list(client.submit_many([make_spec() for _ in range(3)]))
    time.sleep(0.6)
    relay.sweep()
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 3}


def test_a_flushed_redis_is_filled_again(relay: Relay, client: InpaintClient, redis: Redis, database: Database) -> None:
    list(client.submit_many([make_spec() for _ in range(5)]))
    redis.flushdb()
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 0}  # it may be just being read
    age(database, 60)
    relay.sweep()  # notices
    relay.sweep()  # sends
    assert queue_depths(redis, [MODEL]) == {MODEL: 5}


def test_single_losses_behind_a_backlog_are_found(
    relay: Relay, client: InpaintClient, redis: Redis, database: Database
) -> None:
    list(client.submit_many([make_spec() for _ in range(30)]))
    lists = [name for name in redis_lists(MODEL) if redis.llen(name)]
    for name in lists:
        redis.lpop(name)
    age(database, 60)
    relay.sweep()
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 30}


def test_a_job_of_a_model_that_the_relay_does_not_know_is_sent_like_any_other(
    relay: Relay, database: Database, redis: Redis
) -> None:
    with database.begin() as connection:
        job_id = make_job(connection)
        connection.execute(text("INSERT INTO model (name, family, card) VALUES ('from-the-future', 'x', '{}')"))
        connection.execute(text("UPDATE job SET model = 'from-the-future' WHERE id = :id"), {"id": job_id})
        make_job(connection)
    age(database, 60)
    relay.sweep()
    assert queue_depths(redis, [MODEL, "from-the-future"]) == {MODEL: 1, "from-the-future": 1}


def test_leases_are_left_alone_for_a_while_after_the_database_was_slow(
    relay: Relay, database: Database, settings: Settings
) -> None:
    with database.begin() as connection:
        claimed = make_running(connection, lease_s=settings.lease_s)
    age(database, 60)
    relay._unwell_at = time.monotonic()
    relay.sweep()
    with database.read() as connection:
        assert job_row(connection, claimed.job_id)["status"] == "running"


def test_a_job_whose_worker_fell_silent_comes_back_ahead_of_the_backlog(
    relay: Relay, settings: Settings, database: Database, redis: Redis
) -> None:
    with database.begin() as connection:
        make_jobs(connection, 3)
        claimed = make_running(connection, lease_s=settings.lease_s)
        up = connection.execute(text("SELECT now() - pg_postmaster_start_time()")).scalar_one().total_seconds()
    age(database, 60)
    if up < settings.lease_s:
        time.sleep(settings.lease_s - up + 0.1)
    relay.sweep()
    assert [redis.llen(name) for name in redis_lists(MODEL)] == [1, 0, 0, 0, 3, 0, 0, 0, 0, 0]
    with database.read() as connection:
        assert job_row(connection, claimed.job_id)["status"] == "queued"


def test_a_job_that_was_handed_back_is_sent_when_its_pause_is_over(
    relay: Relay, database: Database, redis: Redis
) -> None:
    with database.begin() as connection:
        requeue(connection, make_running(connection), AttemptReport(), counts=True, pause_s=30)
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 0}
    age(database, 30)
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 1}


def test_a_deadline_ends_what_still_waits(relay: Relay, database: Database) -> None:
    with database.begin() as connection:
        job_id = make_job(connection, deadline="2020-01-01T00:00:00Z")
    relay.sweep()
    with database.read() as connection:
        assert job_row(connection, job_id)["status"] == "expired"


def test_more_than_one_portion_is_said_to_wait(
    relay: Relay, database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint_producer.relay._LIMIT", 4)
    with database.begin() as connection:
        make_jobs(connection, 9)
    age(database, 5)
    assert [relay.sweep() for _ in range(3)] == [True, True, False]
    assert queue_depths(redis, [MODEL]) == {MODEL: 9}


def test_two_relays_send_each_job_once(
    make_relay: Callable[[Settings], Relay], settings: Settings, database: Database, redis: Redis
) -> None:
    with database.begin() as connection:
        make_jobs(connection, 200)
    age(database, 5)
    sweeps = [threading.Thread(target=make_relay(settings).sweep) for _ in range(3)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join(timeout=20)
    assert queue_depths(redis, [MODEL]) == {MODEL: 200}


def test_what_redis_did_not_take_stays_unsent(
    make_relay: Callable[[Settings], Relay],
    settings: Settings,
    database: Database,
    redis: Redis,
    gate: Callable[[str], Gate],
) -> None:
    assert settings.redis_url is not None
    way = gate(settings.redis_url.get_secret_value())
    relay = make_relay(settings.model_copy(update={"redis_url": SecretStr(way.url)}))
    with database.begin() as connection:
        job_id = make_job(connection)
    age(database, 5)
    way.shut()
    with pytest.raises(BrokerUnavailable, match=r"Redis at 127\.0\.0\.1"):
        relay.sweep()
    with database.read() as connection:
        assert job_row(connection, job_id)["published_at"] is None
    way.open()
    relay.sweep()
    assert queue_depths(redis, [MODEL]) == {MODEL: 1}


@pytest.mark.parametrize("service", ["redis_url", "postgres_url"])
def test_a_relay_survives_an_outage_and_goes_on(
    make_relay: Callable[[Settings], Relay],
    settings: Settings,
    database: Database,
    redis: Redis,
    gate: Callable[[str], Gate],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
) -> None:
    monkeypatch.setattr("inpaint_producer.relay._LONGEST_PAUSE_S", 0.5)
    way = gate(getattr(settings, service).get_secret_value())
    relay = make_relay(settings.model_copy(update={service: SecretStr(way.url)}))
    stop, sweeps = threading.Event(), []
    thread = threading.Thread(target=relay.run, args=(stop, lambda: sweeps.append(time.monotonic())))
    thread.start()
    try:
        until(lambda: len(sweeps) >= 1)
        way.shut()
        with database.begin() as connection:
            make_jobs(connection, 2)
        age(database, 5)
        seen = len(sweeps)
        until(lambda: len(sweeps) >= seen + 2)
        assert queue_depths(redis, [MODEL]) == {MODEL: 0}
        way.open()
        until(lambda: queue_depths(redis, [MODEL]) == {MODEL: 2})
    finally:
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_relay_does_not_start_on_an_old_schema(
    make_relay: Callable[[Settings], Relay], settings: Settings, empty_database: Settings
) -> None:
    relay = make_relay(settings.model_copy(update={"postgres_url": empty_database.postgres_url}))
    with pytest.raises(SchemaBehind, match="inpaint db upgrade"):
        relay.run(threading.Event())


def test_a_sweep_without_postgres_says_which_address(
    make_relay: Callable[[Settings], Relay], settings: Settings, gate: Callable[[str], Gate]
) -> None:
    assert settings.postgres_url is not None
    way = gate(settings.postgres_url.get_secret_value())
    relay = make_relay(settings.model_copy(update={"postgres_url": SecretStr(way.url)}))
    way.shut()
    with pytest.raises(DatabaseUnavailable, match=r"Postgres at 127\.0\.0\.1"):
        relay.sweep()


def test_a_message_that_was_sent_twice_is_claimed_once(
    relay: Relay, client: InpaintClient, database: Database, redis: Redis
) -> None:
    [job] = client.submit_many([make_spec()])
    redis.flushdb()
    age(database, 60)
    for _ in range(4):
        relay.sweep()
        age(database, 60)
    with database.begin() as connection:
        worker = make_worker(connection)
        claims = [try_claim(connection, job.id, worker) for _ in range(3)]
    assert [claimed is not None for claimed in claims] == [True, False, False]
