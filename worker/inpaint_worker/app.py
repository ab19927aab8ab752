"""The Celery side of a worker: one queue, one task, threads."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging as celery_sets_up_logging
from celery.worker.request import Request
from celery.worker.strategy import default as celery_strategy
from inpaint_core.card import ModelCard
from inpaint_core.job import TASK_NAME
from inpaint_core.log import get_logger
from inpaint_core.queues import make_celery, queue_name
from inpaint_core.settings import Settings
from kombu import compression

from inpaint_worker.intake import Intake

if TYPE_CHECKING:
    from celery.worker import WorkController

log = get_logger("inpaint.worker")


class QuietRequest(Request):  # type: ignore[misc]
    """Keeps prompts and object keys out of events, and so out of Flower: a whole-request message carries them."""

    argsrepr = property(lambda _self: "()")
    kwargsrepr = property(lambda _self: "{...}")

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What `celery inspect active` shows."""
        shown: dict[str, Any] = super().info(safe=safe)
        return {**shown, "args": [], "kwargs": {}}


def drop_senseless(task: Any, app: Celery, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's strategy, except that a message of which it can make no task is dropped.

    Its own raises out of the consumer: the worker reconnects or ends, the message comes back, and nothing behind it
    is ever served.
    """
    take = celery_strategy(task, app, consumer, **options)

    def take_or_drop(message: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return take(message, *arguments, **named)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            log.error("message_dropped", reason=f"Celery can make no task of it: {error!r}"[:200])
            message.ack()
            return None

    return take_or_drop


def make_worker_app(settings: Settings, card: ModelCard, intake: Intake) -> Celery:
    """The Celery application of a worker: the queue of `card`, and the one task."""
    # A compressed message of some hundred bytes unpacks to gigabytes before anybody can look at it. None is sent, so
    # none is unpacked; kombu has no setting for that.
    compression._decoders.clear()
    app = make_celery(settings, [card.name])
    app.conf.update(worker_pool="threads", worker_concurrency=settings.worker_threads)

    @app.task(
        name=TASK_NAME,
        bind=True,
        acks_late=True,
        ignore_result=True,
        max_retries=None,
        Request=QuietRequest,
        Strategy="inpaint_worker.app:drop_senseless",
    )  # type: ignore[untyped-decorator]
    def run(self: Any, *args: Any, **kwargs: Any) -> None:
        intake.receive(self.request.id, args, kwargs)

    return app


def make_consumer(app: Celery, card: ModelCard) -> WorkController:
    """A Celery worker that consumes `card`'s queue when started. Its name in Flower begins with the model's."""
    # The fleet has set up logging; Celery's own setup would replace it.
    celery_sets_up_logging.connect(_leave_logging, weak=False)
    # Celery warns of root because of pickled messages, and only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    return app.Worker(
        hostname=f"{card.name}.{os.getpid()}@{socket.gethostname()}",
        queues=[queue_name(card.name)],
        pool="threads",
        concurrency=app.conf.worker_concurrency,
        task_events=True,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
        optimization="fair",
    )


def _leave_logging(**_: object) -> None:
    pass
