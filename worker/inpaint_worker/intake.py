"""Messages of a model's queue: what one may be, and what becomes of one that makes no sense."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

from celery.exceptions import Reject
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import (
    IdempotencyConflict,
    InvalidRequest,
    OperatorError,
    RequestError,
    RetryableError,
    WorkerMustExit,
)
from inpaint_core.job import JobMessage, JobRequest
from inpaint_core.log import get_logger
from inpaint_core.parsing import explain_request
from inpaint_core.queues import queue_name
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_db.submissions import NewJob, insert_failed, insert_received
from pydantic import ValidationError

from inpaint_worker.leaving import EXIT_UNTRUSTED, leave
from inpaint_worker.task import JobRunner

#: A message that could not be looked at goes back to Redis after this pause.
_PAUSE_S = 2
#: Larger than any lawful request; what is bigger is not worth parsing.
_MAX_MESSAGE_BYTES = 64 * 1024
log = get_logger("inpaint.worker")


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
        except Exception:
            log.exception("message_put_back", job_id=task_id, pause_s=_PAUSE_S)
            time.sleep(_PAUSE_S)
            raise Reject("unexpected", requeue=True) from None

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
            # A request for another model is kept without its inputs: tried again it would run on this one.
            ours = request is not None and request.model == self._card.name
            keep = ours and not isinstance(error, IdempotencyConflict)
            self._keep(job_id, request if keep else None, error)
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
        self._card.check(request, load_catalogue(self._settings.catalogue).values())

    def _keep(self, job_id: UUID, request: JobRequest | None, error: RequestError) -> None:
        with self._database.begin() as connection:
            insert_failed(connection, job_id, self._card.name, request, error.code, error.message)
