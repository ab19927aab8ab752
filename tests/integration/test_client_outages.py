"""A client whose servers are away, refuse it, or are not there at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from factories import (
    count,
    job_row,
    make_image,
    make_mask,
    make_spec,
)
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import (
    AccessDenied,
    DatabaseUnavailable,
    NotConfigured,
    SchemaBehind,
    StorageUnavailable,
)
from inpaint_core.queues import queue_depths
from inpaint_core.settings import Settings, load_settings
from inpaint_core.status import JobStatus
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.relay import Relay
from outages import Gate, closed_port
from pydantic import SecretStr
from redis import Redis

MODEL = "opencv-telea"


# --- servers that are away --------------------------------------------------------------------------------------------


def with_away(settings: Settings, name: str) -> tuple[Settings, str]:
    """The settings with one server replaced by a port on which nobody listens."""
    found = getattr(settings, name)
    url = found.get_secret_value() if isinstance(found, SecretStr) else found
    where = f"127.0.0.1:{closed_port()}"
    login = f"{urlsplit(url).netloc.rpartition('@')[0]}@" if "@" in url else ""
    changed = urlsplit(url)._replace(netloc=login + where).geturl()
    value = SecretStr(changed) if isinstance(found, SecretStr) else changed
    return settings.model_copy(update={name: value}), where


@contextmanager
def quickly(seconds: float = 5) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_without_redis_a_job_is_accepted_and_sent_when_it_is_back(
    settings: Settings, redis: Redis, database: Database
) -> None:
    without, _ = with_away(settings, "redis_url")
    with InpaintClient(without) as client, quickly():
        jobs = list(client.submit_many([make_spec() for _ in range(3)]))
    assert all(job.created for job in jobs)
    with database.read() as connection:
        assert job_row(connection, jobs[0].id)["published_at"] is None
    time.sleep(settings.publish_grace_s)
    relay = Relay(settings, load_catalogue())
    relay.sweep()
    relay.close()
    assert queue_depths(redis, [MODEL]) == {MODEL: 3}


def test_a_redis_that_refuses_the_password_does_not_lose_the_job(settings: Settings, client: InpaintClient) -> None:
    assert settings.redis_url is not None
    parts = urlsplit(settings.redis_url.get_secret_value())
    wrong = parts._replace(netloc=f"nobody:hunter2@{parts.hostname}:{parts.port}").geturl()
    with InpaintClient(settings.model_copy(update={"redis_url": SecretStr(wrong)})) as other:
        job = other.submit(make_image(), make_mask(), model=MODEL)
    assert client.get(job.id).status is JobStatus.QUEUED


def test_without_postgres_nothing_is_accepted_and_the_address_is_named(settings: Settings, redis: Redis) -> None:
    without, where = with_away(settings, "postgres_url")
    with InpaintClient(without) as client, quickly():
        with pytest.raises(DatabaseUnavailable, match=f"Postgres at {where} does not answer") as caught:
            client.submit(make_image(), make_mask(), model=MODEL)
        assert (caught.value.service, caught.value.address, caught.value.exit_code) == ("Postgres", where, 4)
    assert queue_depths(redis, [MODEL]) == {MODEL: 0}


def test_without_s3_nothing_is_accepted_and_the_address_is_named(settings: Settings, database: Database) -> None:
    without, where = with_away(settings, "s3_url")
    away = pytest.raises(StorageUnavailable, match=f"S3 at http://{where} does not answer")
    with InpaintClient(without) as client, quickly(), away:
        client.submit(make_image(), make_mask(), model=MODEL)
    with database.read() as connection:
        assert count(connection, "job") == 0


def test_a_client_goes_on_when_postgres_and_s3_have_come_back(
    settings: Settings, gate: Callable[[str], Gate], redis: Redis
) -> None:
    assert settings.postgres_url and settings.s3_url and settings.redis_url
    postgres, s3 = gate(settings.postgres_url.get_secret_value()), gate(settings.s3_url)
    broker = gate(settings.redis_url.get_secret_value())
    through = settings.model_copy(
        update={"postgres_url": SecretStr(postgres.url), "s3_url": s3.url, "redis_url": SecretStr(broker.url)}
    )
    with InpaintClient(through) as client:
        client.submit(make_image(), make_mask(), model=MODEL)
        for away, error in ((postgres, DatabaseUnavailable), (s3, StorageUnavailable)):
            away.shut()
            with pytest.raises(error):
                client.submit(make_image(seed=away is s3), make_mask(), model=MODEL)
            away.open()
            client.submit(make_image(seed=7), make_mask(), model=MODEL)
        broker.shut()
        assert client.submit(make_image(), make_mask(), model=MODEL).created
        broker.open()
        assert client.submit(make_image(), make_mask(), model=MODEL).created
    assert queue_depths(redis, [MODEL])[MODEL] == 4


def test_wrong_keys_of_s3_are_said_to_be_wrong(settings: Settings) -> None:
    wrong = settings.model_copy(update={"s3_secret_key": SecretStr("hunter2hunter2")})
    with InpaintClient(wrong) as client, pytest.raises(AccessDenied, match="refused the credentials"):
        client.submit(make_image(), make_mask(), model=MODEL)


def test_a_database_without_a_schema_says_what_to_run(settings: Settings, empty_database: Settings) -> None:
    behind = settings.model_copy(update={"postgres_url": empty_database.postgres_url})
    with InpaintClient(behind) as client, pytest.raises(SchemaBehind, match="inpaint db upgrade"):
        client.submit(make_image(), make_mask(), model=MODEL)


def test_a_client_without_settings_says_what_is_missing() -> None:
    with pytest.raises(NotConfigured, match="inpaint up"):
        InpaintClient(load_settings())
