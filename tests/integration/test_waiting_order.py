"""Priority, fairness between campaigns, and ageing, by the order in which Redis gives the messages out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from factories import MODEL, make_image, make_mask
from inpaint_core.catalogue import load_catalogue
from inpaint_core.queues import redis_lists
from inpaint_core.settings import Settings
from inpaint_db.channel import RelayAlarm, wake_relay
from inpaint_db.recovery import lift_longest_waiting
from inpaint_db.session import Database
from inpaint_producer import InpaintClient, JobSpec
from inpaint_producer.relay import Relay
from redis import Redis
from sqlalchemy import text

SOURCE, MASK = make_image(), make_mask()


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    """A relay that sweeps when a test says so."""
    relay = Relay(settings, load_catalogue())
    yield relay
    relay.close()


def specs(count: int, **fields: object) -> list[JobSpec]:
    """So many edits of one picture."""
    return [JobSpec(SOURCE, MASK, MODEL, **fields) for _ in range(count)]  # type: ignore[arg-type]


def order(redis: Redis) -> list[UUID]:
    """Jobs in the order in which a worker would be given their messages."""
    return [
        UUID(json.loads(raw)["headers"]["id"])
        for name in redis_lists(MODEL)
        for raw in reversed(redis.lrange(name, 0, -1))  # type: ignore[arg-type]
    ]


def test_ten_jobs_pass_all_but_the_first_32_of_a_big_campaign(client: InpaintClient, redis: Redis) -> None:
    list(client.submit_many(specs(1200, campaign="big")))
    small = [job.id for job in client.submit_many(specs(10, campaign="small"))]
    places = [place for place, job_id in enumerate(order(redis)) if job_id in small]
    assert len(places) == 10
    assert max(places) < 32 + 10


def test_jobs_without_a_campaign_are_one_campaign_together(client: InpaintClient, redis: Redis) -> None:
    for _ in range(40):
        client.submit(SOURCE, MASK, model=MODEL)
    named = client.submit(SOURCE, MASK, model=MODEL, campaign="small").id
    assert order(redis).index(named) <= 4


def test_a_campaign_keeps_its_own_order(client: InpaintClient, redis: Redis) -> None:
    ids = [job.id for job in client.submit_many(specs(100, campaign="one"))]
    assert order(redis) == ids


def test_priority_stands_above_fairness(client: InpaintClient, redis: Redis) -> None:
    low = [job.id for job in client.submit_many(specs(3, campaign="small", priority="low"))]
    normal = [job.id for job in client.submit_many(specs(50, campaign="big"))]
    high = [job.id for job in client.submit_many(specs(50, campaign="big", priority="high"))]
    assert order(redis) == [*high, *normal, *low]


def test_a_flushed_redis_is_filled_again_in_fair_order(
    client: InpaintClient, relay: Relay, redis: Redis, settings: Settings
) -> None:
    list(client.submit_many(specs(100, campaign="big")))
    small = {job.id for job in client.submit_many(specs(5, campaign="small"))}
    redis.flushdb()
    deadline = time.monotonic() + 20
    while len(order(redis)) < 105:
        assert time.monotonic() < deadline
        relay.sweep()
        time.sleep(settings.republish_after_s / 2)
    assert small <= set(order(redis)[: 32 + 5])


def wait_long(database: Database) -> None:
    """All waiting jobs have waited for an hour."""
    with database.begin() as connection:
        connection.execute(
            text("UPDATE job SET queued_at = queued_at - interval '1 hour', published_at = now() - interval '1 hour'")
        )


def test_one_job_in_eight_is_the_longest_waiting(client: InpaintClient, relay: Relay, database: Database) -> None:
    low = [job.id for job in client.submit_many(specs(3, priority="low"))]
    wait_long(database)
    with database.begin() as connection:
        assert [job.id for job in lift_longest_waiting(connection, after_s=600, share=8)] == low[:1]
    for started in range(8):
        with database.begin() as connection:
            assert lift_longest_waiting(connection, after_s=600, share=8) == [], f"{started} jobs were started since"
        _start_one(client, database)
    with database.begin() as connection:
        assert [job.id for job in lift_longest_waiting(connection, after_s=600, share=8)] == low[1:2]


def test_what_has_not_waited_long_is_not_lifted(client: InpaintClient, database: Database) -> None:
    list(client.submit_many(specs(3, priority="low")))
    with database.begin() as connection:
        assert lift_longest_waiting(connection, after_s=600, share=8) == []


def test_a_lifted_job_stands_in_front_of_high_priorities(
    client: InpaintClient, relay: Relay, redis: Redis, database: Database
) -> None:
    old = client.submit(SOURCE, MASK, model=MODEL, priority="low").id
    wait_long(database)
    list(client.submit_many(specs(20, priority="high")))
    relay.sweep()
    assert order(redis)[0] == old


def test_two_relays_lift_one_job_between_them(client: InpaintClient, database: Database) -> None:
    list(client.submit_many(specs(5, priority="low")))
    wait_long(database)
    with database.begin() as one, database.begin() as other:
        lifted = [*lift_longest_waiting(one, after_s=600, share=8), *lift_longest_waiting(other, after_s=600, share=8)]
    assert len(lifted) == 1


def test_a_relay_is_woken_by_what_it_has_to_send(settings: Settings, database: Database) -> None:
    alarm = RelayAlarm(database)
    stop = threading.Event()
    assert alarm.wait(0.05, stop) is False
    with database.begin() as connection:
        wake_relay(connection)
    started = time.monotonic()
    assert alarm.wait(30, stop) is True
    assert time.monotonic() - started < 10
    alarm.close()


def test_without_a_connection_the_alarm_is_a_clock(settings: Settings) -> None:
    away = settings.model_copy(update={"postgres_url": type(settings.postgres_url)("postgresql://a:b@127.0.0.1:1/c")})
    with Database(away) as database:
        assert RelayAlarm(database).wait(0.3, threading.Event()) is False


def _start_one(client: InpaintClient, database: Database) -> None:
    from factories import make_worker, try_claim

    job_id = client.submit(SOURCE, MASK, model=MODEL, priority="high").id
    with database.begin() as connection:
        assert try_claim(connection, job_id, make_worker(connection)) is not None
