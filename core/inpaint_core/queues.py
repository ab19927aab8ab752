"""Queues: their names, the Celery settings that client, relay, worker and Flower share, and sending a job's wake-up.

Redis carries wake-ups; Postgres holds the truth. So a message says no more than "look at job <task id>", losing one
costs a pause, and a doubled one is refused at the claim. Why each setting is as it is: docs/reliability.md.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from inpaint_core.errors import AccessDenied, BrokerUnavailable, DiskFull
from inpaint_core.fairness import STEPS, last_step
from inpaint_core.job import CONTRACT_VERSION, TASK_NAME
from inpaint_core.settings import Settings, address
from inpaint_core.status import Priority

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis

QUEUE_PREFIX = "inpaint."
#: Every key of the fleet in Redis begins with it, so that a shared Redis stays readable.
KEY_PREFIX = "inpaint:"


def queue_name(model: str) -> str:
    """The Celery queue of a model."""
    return QUEUE_PREFIX + model


def redis_lists(model: str) -> list[str]:
    """The Redis lists in which the messages of a model's queue wait, most urgent first."""
    name = KEY_PREFIX + queue_name(model)
    return [name if step == 0 else f"{name}\x06\x16{step}" for step in STEPS]


def make_celery(settings: Settings, models: Iterable[str], *, for_producer: bool = False) -> Celery:
    """A Celery application that knows the queues of `models`, and nothing else.

    A worker waits for a Redis that is away. `for_producer`: sending to one fails at once, since the relay sends later.
    """
    from celery import Celery
    from kombu.entity import Exchange, Queue

    settings.need("Redis")
    assert settings.redis_url is not None  # noqa: S101  (`need` has checked)
    app = Celery("inpaint", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    # The default exchange routes by queue name without a binding table in Redis: nothing to declare, nothing to lose.
    exchange = Exchange("", type="direct")  # type: ignore[no-untyped-call]
    names = [queue_name(model) for model in models]
    app.conf.update(
        task_queues=[Queue(name, exchange, routing_key=name) for name in names],  # type: ignore[no-untyped-call]
        task_create_missing_queues=False,
        task_default_queue=names[0],
        task_default_exchange="",
        task_default_priority=last_step(Priority.NORMAL),
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_send_task_events=True,
        task_send_sent_event=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 3600,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 5,
            "global_keyprefix": KEY_PREFIX,
            "queue_order_strategy": "priority",
            "priority_steps": list(STEPS),
            **({"max_retries": 0, "interval_start": 0} if for_producer else {}),
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app


@dataclass(frozen=True, slots=True)
class WakeUp:
    """One message to send: the job, its model's queue, and the priority step (0 is served first)."""

    job_id: UUID
    model: str
    step: int = last_step(Priority.NORMAL)


@functools.cache
def _queue(model: str) -> Any:
    # An object, not a name: Celery knows the names of this catalogue only, and raises QueueNotFound (a KeyError) for a
    # job whose model a newer client, or an older release, brought into the database.
    from kombu.entity import Exchange, Queue

    name = queue_name(model)
    return Queue(name, Exchange("", type="direct"), routing_key=name)  # type: ignore[no-untyped-call]


def send_wake_ups(app: Celery, wake_ups: Iterable[WakeUp]) -> int:
    """Send messages, many to a round trip; returns how many. `BrokerUnavailable` if Redis does not take them."""
    sent = 0
    with broker_errors(app), app.producer_pool.acquire(block=True, timeout=10) as producer, producer.batch():
        for wake in wake_ups:
            app.send_task(
                TASK_NAME,
                kwargs={"version": CONTRACT_VERSION},
                task_id=str(wake.job_id),
                queue=_queue(wake.model),
                priority=wake.step,
                ignore_result=True,
                retry=False,
                producer=producer,
                declare=(),  # a list in Redis needs no declaration, and looking whether it does costs a fifth
            )
            sent += 1
    return sent


def connect_redis(settings: Settings) -> Redis:
    """A plain Redis client with short timeouts, for looking at queues."""
    from redis import Redis

    settings.need("Redis")
    assert settings.redis_url is not None  # noqa: S101  (`need` has checked)
    return Redis.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=5, socket_connect_timeout=2, health_check_interval=5
    )


def queue_depths(redis: Redis, models: Iterable[str]) -> dict[str, int]:
    """How many messages wait in each model's queue, over all priority steps. Running jobs are not among them."""
    models = list(models)
    pipe = redis.pipeline(transaction=False)
    for model in models:
        for name in redis_lists(model):
            pipe.llen(name)
    lengths: list[Any] = pipe.execute()
    width = len(STEPS)
    return {model: sum(lengths[i * width : (i + 1) * width]) for i, model in enumerate(models)}


@contextlib.contextmanager
def broker_errors(app_or_settings: Celery | Settings) -> Iterator[None]:
    """What kombu and redis-py raise, in the fleet's words."""
    import redis.exceptions
    from kombu.exceptions import KombuError

    try:
        yield
    except (redis.exceptions.RedisError, KombuError, OSError) as error:
        where = _address(app_or_settings)
        cause = error
        while cause.__cause__ is not None:
            cause = cause.__cause__  # type: ignore[assignment]
        text = f"{error} {cause}"
        if isinstance(cause, redis.exceptions.AuthenticationError) or "NOAUTH" in text or "WRONGPASS" in text:
            raise AccessDenied(
                f"Redis at {where} refused the password. Check INPAINT_REDIS_URL.", service="Redis", address=where
            ) from None
        if "No space left" in text:
            raise DiskFull(f"Redis at {where} has no disk space left. Free some, then try again.") from None
        raise BrokerUnavailable(
            f"Redis at {where} does not answer ({str(cause)[:200]}). Check that it runs and that INPAINT_REDIS_URL "
            "is right.",
            service="Redis",
            address=where,
        ) from error


def _address(source: Any) -> str:
    if isinstance(source, Settings):
        return address(source.redis_url.get_secret_value()) if source.redis_url else "(not set)"
    return address(str(source.conf.broker_url))
