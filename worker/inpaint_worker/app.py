"""The Celery side: one queue, one task, threads. What a message may be, and what becomes of one that makes no sense."""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Celery
from celery.exceptions import Reject, SecurityWarning
from celery.signals import setup_logging as celery_sets_up_logging
from celery.worker.request import Request
from inpaint_core.card import ModelCard
from inpaint_core.errors import (
    IdempotencyConflict,
    InvalidRequest,
    OperatorError,
    RequestError,
    RetryableError,
    WorkerMustExit,
)
from inpaint_core.job import TASK_NAME, JobMessage, JobRequest, explain_request
from inpaint_core.log import get_logger
from inpaint_core.queues import make_celery, queue_name
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_db.submissions import NewJob, insert_failed, insert_received
from pydantic import ValidationError

from inpaint_worker.leaving import EXIT_UNTRUSTED, leave
from inpaint_worker.task import JobRunner

if TYPE_CHECKING:
    from celery.worker import WorkController

#: A message that could not be looked at goes back to Redis after this pause.
_PAUSE_S = 2
#: Larger than any lawful request; what is bigger is not worth parsing.
_MAX_MESSAGE_BYTES = 64 * 1024
log = get_logger("inpaint.worker")


class QuietRequest(Request):  # type: ignore[misc]
    """Keeps prompts and object keys out of events, and so out of Flower: a whole-request message carries them."""

    argsrepr = property(lambda _self: "()")
    kwargsrepr = property(lambda _self: "{...}")

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What `celery inspect active` shows."""
        shown: dict[str, Any] = super().info(safe=safe)
        return {**shown, "args": [], "kwargs": {}}


class Intake:
    """Receives messages for one model's queue."""

    def __init__(self, settings: Settings, card: ModelCard, database: Database, runner: JobRunner) -> None:
        self._settings = settings
        self._card = card
        self._database = database
        self._runner = runner

    def receive(self, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """One delivery. Returns when the message has been dealt with; raises `Reject` to have it again later."""
        try:
            job_id = UUID(task_id)
        except ValueError:
            log.error("message_refused", task_id=task_id[:100], reason="the task id must be a UUID: it is the job's id")
            return
        try:
            if self._accept(job_id, args, kwargs):
                self._runner.run(job_id)
        except (RetryableError, OperatorError) as error:
            log.warning("message_put_back", job_id=task_id, reason=error.message, pause_s=_PAUSE_S)
            time.sleep(_PAUSE_S)
            raise Reject(error.message, requeue=True) from None
        except WorkerMustExit as error:
            # How this job ended has been recorded; neighbours that were loading go back to the queue.
            log.error("worker_must_exit", code=error.code, reason=error.message)
            leave(self._settings, self._database, self._runner.heartbeat, EXIT_UNTRUSTED)

    def _accept(self, job_id: UUID, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Insert the job if the message brings its whole request; False if it was refused."""
        request: JobRequest | None = None
        try:
            request = self._read(args, kwargs)
            if request is None:
                return True
            self._check(request)
            with self._database.begin() as connection:
                insert_received(connection, NewJob(job_id, request), max_attempts=self._settings.max_attempts)
            return True
        except RequestError as error:
            log.warning("message_refused", job_id=str(job_id), code=error.code, reason=error.message)
            self._keep(job_id, None if isinstance(error, IdempotencyConflict) else request, error)
            return False

    def _read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> JobRequest | None:
        if args:
            raise InvalidRequest("The task takes keyword arguments only: version, and perhaps request.")
        if len(json.dumps(kwargs, default=str)) > _MAX_MESSAGE_BYTES:
            raise InvalidRequest(
                f"The message is larger than {_MAX_MESSAGE_BYTES:,} bytes. Images go as s3:// addresses."
            )
        try:
            return JobMessage.model_validate(kwargs).request
        except ValidationError as error:
            raise explain_request(error) from None

    def _check(self, request: JobRequest) -> None:
        if request.model != self._card.name:
            raise InvalidRequest(
                f"The message asks for {request.model!r} but was sent to the queue {queue_name(self._card.name)!r}. "
                f"Send it to {queue_name(request.model)!r}.",
                field="model",
            )
        self._card.check(request)

    def _keep(self, job_id: UUID, request: JobRequest | None, error: RequestError) -> None:
        with self._database.begin() as connection:
            insert_failed(connection, job_id, self._card.name, request, error.code, error.message)


def make_worker_app(settings: Settings, card: ModelCard, intake: Intake) -> Celery:
    """The Celery application of a worker: the queue of `card`, and the one task."""
    app = make_celery(settings, [card.name])
    app.conf.update(worker_pool="threads", worker_concurrency=settings.worker_threads)

    @app.task(name=TASK_NAME, bind=True, acks_late=True, ignore_result=True, max_retries=None, Request=QuietRequest)  # type: ignore[untyped-decorator]
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
