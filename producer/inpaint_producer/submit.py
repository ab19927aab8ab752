"""Submitting: check everything, upload, insert, then send the wake-ups.

The order matters. What is wrong is refused before anything is stored; images are in the bucket before a job names
them; a job is in Postgres before its message is in Redis. If the process dies in between, there is an unused image,
or a queued job that the relay sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import AccessDenied, BrokerUnavailable, RequestError
from inpaint_core.ids import new_id
from inpaint_core.images import ImageFacts, Limits
from inpaint_core.job import JobRequest
from inpaint_core.log import get_logger
from inpaint_core.queues import STEP_OF, WakeUp, make_celery, send_wake_ups
from inpaint_core.settings import Settings
from inpaint_core.storage import ObjectStore
from inpaint_db.session import Database
from inpaint_db.submissions import (
    NewJob,
    Submitted,
    insert_images,
    insert_jobs,
    known_images,
    mark_published,
    register_models,
)
from sqlalchemy import text

from inpaint_producer.intake import ImageIntake, Intake
from inpaint_producer.spec import JobSpec

if TYPE_CHECKING:
    from celery import Celery

#: Stands for an address that an image gets only when it is stored; long enough to be checked like a real one.
_NOT_STORED_YET = "s3://not-stored-yet/inputs/image"
_UPLOADS_AT_ONCE = 8
log = get_logger("inpaint.producer")


@dataclass(frozen=True, slots=True)
class _Checked:
    spec: JobSpec
    source: Intake
    mask: Intake


class Submitter:
    """Turns specs into queued jobs."""

    def __init__(self, settings: Settings, catalogue: Catalogue, database: Database, store: ObjectStore) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._database = database
        self._intake = ImageIntake(store, Limits.of(settings), self._known_image)
        self._registered: set[str] = set()
        self._recorded: set[str] = set()
        self._app: Celery | None = None

    def check(self, spec: JobSpec) -> None:
        """Raise what `submit` would raise for this spec; nothing is stored."""
        self._check(spec)

    def submit(self, specs: Sequence[JobSpec]) -> list[Submitted]:
        """Queue one job for each spec, all or none; the answers are in the order of the specs.

        Raises a `RequestError` with the number of the spec in `index` for the first that is wrong.
        """
        if len(specs) == 1:
            checked = [self._check(specs[0])]
            stored = [self._store(checked[0])]
        else:
            with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="intake") as threads:
                checked = list(threads.map(self._check_numbered, range(len(specs)), specs))
                stored = list(threads.map(self._store, checked))
        jobs = [NewJob(new_id(), self._request(c), c.source.facts.sha256, c.mask.facts.sha256) for c in stored]
        answers = self._insert(jobs, stored)
        created = {answer.id for answer in answers if answer.created}
        self._send([job for job in jobs if job.id in created])
        return answers

    def _check_numbered(self, index: int, spec: JobSpec) -> _Checked:
        try:
            return self._check(spec)
        except RequestError as error:
            error.facts["index"] = index
            raise

    def _check(self, spec: JobSpec) -> _Checked:
        # Cheap checks first: a misspelt model should not cost the reading of two photos.
        card = self._catalogue.card(spec.model)
        card.check(spec.to_request(_NOT_STORED_YET, _NOT_STORED_YET))
        return _Checked(spec, *self._intake.check_pair(spec))

    def _store(self, checked: _Checked) -> _Checked:
        source = self._intake.store(checked.source, "source")
        return _Checked(checked.spec, source, self._intake.store(checked.mask, "mask"))

    def _request(self, checked: _Checked) -> JobRequest:
        return checked.spec.to_request(str(checked.source.ref), str(checked.mask.ref))

    def _insert(self, jobs: Sequence[NewJob], stored: Sequence[_Checked]) -> list[Submitted]:
        models = {job.request.model for job in jobs} - self._registered
        facts = {i.facts for c in stored for i in (c.source, c.mask) if i.facts.sha256 not in self._recorded}
        with self._database.begin() as connection:
            if models:
                register_models(connection, [self._catalogue.card(name) for name in sorted(models)])
            if facts:
                insert_images(connection, facts)
            answers = insert_jobs(connection, jobs, max_attempts=self._settings.max_attempts)
        self._registered |= models
        self._recorded |= {fact.sha256 for fact in facts}
        return answers

    def _send(self, jobs: Sequence[NewJob]) -> None:
        if not jobs:
            return
        if self._app is None:
            self._app = make_celery(self._settings, self._catalogue, for_producer=True)
        try:
            wakes = (WakeUp(job.id, job.request.model, STEP_OF[job.request.priority]) for job in jobs)
            send_wake_ups(self._app, wakes)
        except (BrokerUnavailable, AccessDenied) as error:
            # The jobs are accepted: the relay sends them as soon as it can.
            log.warning("jobs_not_sent_yet", jobs=len(jobs), reason=error.message)
            return
        with self._database.begin() as connection:
            # If this is lost in a crash the relay sends once more, and the claim refuses the second.
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            mark_published(connection, [job.id for job in jobs])

    def _known_image(self, sha256: str) -> ImageFacts | None:
        with self._database.read() as connection:
            return known_images(connection, [sha256]).get(sha256)

    def close(self) -> None:
        """Close the connections to Redis."""
        if self._app is not None:
            self._app.close()
