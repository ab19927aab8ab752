"""Submitting: check everything, upload, insert, then send the wake-ups.

The order matters. What is wrong is refused before anything is stored; images are in the bucket before a job names
them; a job is in Postgres before its message is in Redis. If the process dies in between, there is an unused image,
or a queued job that the relay sends. Before an image is uploaded or looked for, it is held in Postgres: so it is not
removed, as one that nobody uses, before its job is there (`inpaint_db.retention`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inpaint_core.catalogue import Catalogue
from inpaint_core.edit import MaskShapes, Polarity
from inpaint_core.errors import BrokerUnavailable, OperatorError, RequestError, ServiceUnavailable
from inpaint_core.guides import check_control
from inpaint_core.ids import new_id
from inpaint_core.images import ImageFacts, Limits
from inpaint_core.job import JobRequest
from inpaint_core.log import get_logger
from inpaint_core.masks import Reading, check_pair, count_marked, shapes_mask
from inpaint_core.queues import WakeUp, make_celery, send_wake_ups
from inpaint_core.settings import Settings
from inpaint_core.status import MaskKind
from inpaint_core.storage import ObjectStore
from inpaint_db.retention import hold_images
from inpaint_db.session import Database
from inpaint_db.submissions import (
    NewJob,
    Submitted,
    insert_jobs,
    known_images,
    mark_published,
    register_models,
)
from sqlalchemy.exc import IntegrityError

from inpaint_producer.doubts import warn
from inpaint_producer.intake import FIELDS, TRUST_S, ImageIntake, Intake, Role, Use
from inpaint_producer.ordering import InLine, wake_ups
from inpaint_producer.reading import Want, each_once, in_threads, key_of, or_raise, until_error
from inpaint_producer.spec import Guide, ImageSource, JobSpec, is_picture

if TYPE_CHECKING:
    from celery import Celery

#: Stands for an address that an image gets only when it is stored; long enough to be checked like a real one.
_NOT_STORED_YET = "s3://not-stored-yet/inputs/image"
#: What Postgres says of a reference to a row that is not there.
_ROW_IS_GONE = "23503"
log = get_logger("inpaint.producer")


@dataclass(frozen=True, slots=True)
class _Mask:
    """What marks the pixels to repaint. `picture`: None if it is no picture of its own."""

    picture: Intake | None
    marked: int | None

    @classmethod
    def of(cls, picture: Intake) -> _Mask:
        return cls(picture, picture.marked)


@dataclass(frozen=True, slots=True)
class _Checked:
    request: JobRequest
    #: By role; without a mask if that is no picture of its own.
    images: dict[Role, Intake]

    def as_job(self) -> NewJob:
        contents = {f"{role}_sha256": image.facts.sha256 for role, image in self.images.items()}
        return NewJob(new_id(), self.request, **contents)


class Submitter:
    """Turns specs into queued jobs."""

    def __init__(self, settings: Settings, catalogue: Catalogue, database: Database, store: ObjectStore) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._database = database
        self._intake = ImageIntake(store, Limits.of(settings), self._known_image)
        self._registered: set[str] = set()
        self._held: dict[ImageFacts, float] = {}
        self._app: Celery | None = None

    def check(self, spec: JobSpec) -> None:
        """Raise what `submit` would raise for this spec; nothing is stored."""
        self._check([spec])

    def submit(self, specs: Sequence[JobSpec]) -> list[Submitted]:
        """Queue one job for each spec, all or none; the answers are in the order of the specs.

        Raises a `RequestError` with the number of the spec in `index` for the first that is wrong.
        """
        try:
            return self._submit(specs)
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _ROW_IS_GONE:
                raise
            # A row that this process remembers is gone: the database was emptied or restored. Once more, from nothing.
            self._forget()
            return self._submit(specs)

    def _submit(self, specs: Sequence[JobSpec]) -> list[Submitted]:
        checked = self._check(specs)
        self._hold({image.facts for c in checked for image in c.images.values()})
        images = {str(image.ref): image for c in checked for image in c.images.values()}
        in_threads(self._intake.store, images.values())
        jobs = [c.as_job() for c in checked]
        answers, wakes = self._insert(jobs)
        created = {answer.id for answer in answers if answer.created}
        self._send([wake for wake in wakes if wake.job_id in created])
        return answers

    def _hold(self, facts: set[ImageFacts]) -> None:
        """Record the images before they are stored; what was held lately still is."""
        now = time.monotonic()
        since = now - TRUST_S
        new = {fact for fact in facts if self._held.get(fact, -math.inf) <= since}
        if not new:
            return
        with self._database.begin() as connection:
            hold_images(connection, new)
        self._held = {fact: at for fact, at in self._held.items() if at > since} | dict.fromkeys(new, now)

    def _forget(self) -> None:
        self._held, self._registered = {}, set()
        self._intake.forget()

    def _check(self, specs: Sequence[JobSpec]) -> list[_Checked]:
        """Every spec as a request, with its images read. An image that several specs name is read once."""
        requests = []
        for index, spec in enumerate(specs):
            # Cheap checks first: a misspelt model should not cost the reading of two photos.
            with _numbered(index):
                request = spec.to_request(_NOT_STORED_YET, _NOT_STORED_YET, _NOT_STORED_YET)
                self._catalogue.check(request)
                requests.append(request)
        # Sources before masks: their size tells how a mask is resized, and where shapes may lie.
        sources = each_once([self._source(*pair) for pair in zip(specs, requests, strict=True)])
        good = until_error(sources)
        masks = each_once([self._mask(*three) for three in zip(specs, requests, good, strict=False)])
        guides = self._guides(specs)
        checked = []
        for index, (request, found) in enumerate(zip(requests, sources, strict=True)):
            with _numbered(index):
                source, mask = or_raise(found), or_raise(masks[index])
                lead = {role: or_raise(guides[index, role]) for role in specs[index].guides}
                checked.append(self._together(request, source, mask, lead))
        return checked

    def _guides(self, specs: Sequence[JobSpec]) -> dict[tuple[int, Guide], Intake | RequestError]:
        """Reference and control images, by the number of their spec and their role."""
        wanted = [(index, role, image) for index, spec in enumerate(specs) for role, image in spec.guides.items()]
        found = each_once([self._guide(role, image) for _, role, image in wanted])
        return {(index, role): each for (index, role, _), each in zip(wanted, found, strict=True)}

    def _guide(self, role: Guide, image: ImageSource) -> Want[Intake]:
        use = Use(role)
        return key_of(image, use), lambda: self._intake.check(image, use)

    def _source(self, spec: JobSpec, request: JobRequest) -> Want[Intake]:
        source = spec.source
        alpha = request.mask_kind is MaskKind.ALPHA
        use = Use("source", Reading(Polarity.TRANSPARENT, request.edit.threshold) if alpha else None)
        return key_of(source, use), lambda: self._intake.check(source, use)

    def _mask(self, spec: JobSpec, request: JobRequest, source: Intake) -> Want[_Mask]:
        mask, shapes, size = spec.mask, request.mask, (source.facts.width, source.facts.height)
        if isinstance(shapes, MaskShapes):
            return (shapes, size), lambda: _Mask(None, count_marked(shapes_mask(shapes, size)))
        if not is_picture(mask):
            return key_of(spec.source, source.use), lambda: _Mask(None, source.marked)
        use = Use("mask", Reading.of(request.edit, size))
        return key_of(mask, use), lambda: _Mask.of(self._intake.check(mask, use))

    def _together(self, request: JobRequest, source: Intake, mask: _Mask, guides: Mapping[Guide, Intake]) -> _Checked:
        """Whether the images fit each other and the request."""
        picture = mask.picture
        if picture is not None and not request.edit.resize_mask:
            check_pair(source.facts, picture.facts)
        request.edit.check_size(source.facts.width, source.facts.height)
        card = self._catalogue.card(request.model)
        warn(card, request, source.facts, picture.facts if picture else None, mask.marked or 0)
        if "control" in guides:
            control = guides["control"].facts
            check_control((source.facts.width, source.facts.height), (control.width, control.height))
        images: dict[Role, Intake] = {"source": source}
        if picture is not None:
            images["mask"] = picture
        images.update(guides.items())
        addresses = {FIELDS[role]: str(image.ref) for role, image in images.items()}
        return _Checked(request.model_copy(update=addresses), images)

    def _insert(self, jobs: Sequence[NewJob]) -> tuple[list[Submitted], list[WakeUp]]:
        models = {job.request.model for job in jobs} - self._registered
        with self._database.begin() as connection:
            if models:
                register_models(connection, [self._catalogue.card(name) for name in sorted(models)])
            wakes = wake_ups(connection, [_in_line(job) for job in jobs])
            answers = insert_jobs(connection, jobs, max_attempts=self._settings.max_attempts)
        self._registered |= models
        return answers, wakes

    def _send(self, wakes: Sequence[WakeUp]) -> None:
        if not wakes:
            return
        if self._app is None:
            self._app = make_celery(self._settings, self._catalogue, for_producer=True)
        try:
            send_wake_ups(self._app, wakes)
        except (BrokerUnavailable, OperatorError) as error:
            # The jobs are accepted: the relay sends them as soon as it can.
            log.warning("jobs_not_sent_yet", jobs=len(wakes), reason=error.message)
            return
        try:
            with self._database.autocommit() as connection:
                mark_published(connection, [wake.job_id for wake in wakes])
        except (ServiceUnavailable, OperatorError) as error:
            # The jobs are accepted and sent. The relay sends them once more, and the claim refuses the second.
            log.info("sending_not_noted", jobs=len(wakes), reason=error.message)

    def _known_image(self, sha256: str) -> ImageFacts | None:
        with self._database.read() as connection:
            return known_images(connection, [sha256]).get(sha256)

    def close(self) -> None:
        """Close the connections to Redis."""
        if self._app is not None:
            self._app.close()


def _in_line(job: NewJob) -> InLine:
    request = job.request
    return InLine(job.id, request.model, request.priority, request.campaign)


@contextlib.contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Put the number of the spec into the error."""
    try:
        yield
    except RequestError as error:
        error.facts["index"] = index
        raise
