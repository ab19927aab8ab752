"""The story of one job: claim, fetch, prepare, paint, encode, store, finish."""

from __future__ import annotations

import functools
import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import structlog
from inpaint_core.card import ModelCard
from inpaint_core.edit import EditOptions, MaskShapes
from inpaint_core.errors import (
    GpuOutOfMemory,
    InpaintError,
    ObjectChanged,
    OperatorError,
    RequestError,
    ServiceUnavailable,
    WorkerBehind,
    WorkerMustExit,
)
from inpaint_core.images import FORMATS, Limits
from inpaint_core.job import printable
from inpaint_core.log import get_logger
from inpaint_core.patience import patiently
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef, ObjectStore, output_ref
from inpaint_db.claims import Claimed, StoredOutput, claim
from inpaint_db.presence import WorkerIdentity
from inpaint_db.session import Database
from pydantic import BaseModel, ValidationError

from inpaint_worker.attempt import Attempt, AttemptStopped
from inpaint_worker.geometry.canvas import Canvas, Result, open_canvas
from inpaint_worker.geometry.encode import Encoded
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Edit
from inpaint_worker.resident import Resident

#: How long an attempt waits out an object store that is away, before and after the device was used.
_FETCH_PATIENCE_S = 5
_STORE_PATIENCE_S = 120
#: A worker rests so long after a job that an outage kept it from.
_AWAY_S = 1
_Model = TypeVar("_Model", bound=BaseModel)
log = get_logger("inpaint.worker")


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs jobs on the resident pipeline. Called from several threads at once."""

    settings: Settings
    database: Database
    store: ObjectStore
    worker: WorkerIdentity
    resident: Resident
    heartbeat: Heartbeat

    def run(self, job_id: UUID) -> None:
        """Run the job if it is there to be taken, and record how it ended.

        Raises `DatabaseUnavailable` if the job could not be claimed, and `WorkerMustExit`.
        """
        with structlog.contextvars.bound_contextvars(job_id=str(job_id)):
            claimed = self._claim(job_id)
            if claimed is None:
                log.info("nothing_to_claim")
                return
            attempt = Attempt(claimed)
            self.heartbeat.add(attempt)
            try:
                with structlog.contextvars.bound_contextvars(attempt=claimed.number):
                    self._run(attempt)
            finally:
                self.heartbeat.remove(attempt)

    def _run(self, attempt: Attempt) -> None:
        claimed = attempt.claimed
        outcome = Outcome(self.settings, self.database, attempt)
        log.info("job_started", queue_wait_s=round(claimed.queue_wait_s, 3))
        try:
            wanted = _Wanted.of(claimed)
            canvas = self._prepare(attempt, wanted, *self._fetch(attempt))
            self._paint(attempt, canvas)
            objects = self._encode(attempt, canvas)
            self._store(attempt, objects)
            outcome.succeeded([stored for stored, _ in objects])
        except AttemptStopped as stopped:
            outcome.stopped(stopped.reason)
        except RequestError as error:
            outcome.ended(JobStatus.FAILED, error)
        except WorkerMustExit as error:
            outcome.again_or_failed(error)
            raise
        except GpuOutOfMemory as error:
            # Once more, with savers; if that was not enough, a third time would not be either.
            if _ran_out_of_memory(claimed):
                outcome.ended(JobStatus.FAILED, error)
            else:
                outcome.again_or_failed(error)
        except WorkerBehind as error:
            outcome.again_later(error)
        except (ServiceUnavailable, OperatorError) as error:
            # Nothing is wrong with the job. The pause keeps one worker from putting back a whole queue at once.
            outcome.again_later(error)
            time.sleep(_AWAY_S)
        except InpaintError as error:
            outcome.again_or_failed(error)
        except Exception as error:
            log.exception("job_raised")
            unexpected = InpaintError(
                f"Unexpected {type(error).__name__}: {error}. The worker's log has the traceback."
            )
            outcome.again_or_failed(unexpected)

    def _claim(self, job_id: UUID) -> Claimed | None:
        with self.database.autocommit() as connection:
            return claim(
                connection,
                job_id,
                model=self.resident.pipeline.card.name,
                worker_id=self.worker.id,
                environment_id=self.worker.environment_id,
                lease_s=self.settings.lease_s,
            )

    def _fetch(self, attempt: Attempt) -> tuple[bytes, bytes | None]:
        job = attempt.claimed
        with attempt.phase("fetch"):
            source = self._get(attempt, job.source_uri, job.source_sha256)
            return source, None if job.mask_uri is None else self._get(attempt, job.mask_uri, job.mask_sha256)

    def _get(self, attempt: Attempt, uri: str, sha256: str | None) -> bytes:
        ref = ObjectRef.parse(uri)
        limit = self.settings.max_image_bytes
        data = patiently(lambda: self.store.get(ref, limit), for_s=_FETCH_PATIENCE_S, check=attempt.check)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise ObjectChanged(f"{uri} is not what was submitted: its bytes have changed since. Submit the job again.")
        return data

    def _prepare(self, attempt: Attempt, wanted: _Wanted, source: bytes, mask: bytes | None) -> Canvas:
        with attempt.phase("prepare"):
            marks = wanted.shapes if mask is None else mask
            rule, limits = self.resident.pipeline.card.size, Limits.of(self.settings)
            canvas = open_canvas(source, marks, wanted.edit, rule, limits)
            report = attempt.report
            report.normalised, report.region_pixels = canvas.source.normalised, canvas.region.pixels
            report.windows, report.warnings = [w.described() for w in canvas.windows], canvas.warnings
            return canvas

    def _paint(self, attempt: Attempt, canvas: Canvas) -> None:
        """Window by window: a later one sees what was painted in those before it."""
        job, pipeline = attempt.claimed, self.resident.pipeline
        parameters = pipeline.card.resolve(job.parameters)
        attempt.report.parameters = {**parameters, **_asked_for(pipeline.card)}
        saver, count = _ran_out_of_memory(job), len(canvas.windows)
        if saver:  # it may change the picture a little
            attempt.report.parameters = {**parameters, "save_memory": True}
        for number in range(count):
            with attempt.phase("prepare"):
                image, region = canvas.show(number)
            edit = Edit(image, region, job.seed, job.prompt, job.negative_prompt, parameters, save_memory=saver)

            def step(done: int, total: int, before: int = number) -> None:
                attempt.step(before * total + done, count * total)

            painted = self.resident.run(attempt, edit, step)
            # Only after the last one is the job past the device.
            with attempt.phase("composite" if number == count - 1 else "prepare", counts_as="composite"):
                canvas.take(number, painted)

    def _encode(self, attempt: Attempt, canvas: Canvas) -> list[tuple[StoredOutput, bytes]]:
        """Everything that is stored, the result first. It is decoded again and compared with the source."""
        with attempt.phase("encode"):
            result = canvas.result()
            others = [(self._output(attempt, encoded, kind), encoded.data) for kind, encoded in canvas.others()]
        output = self._output(attempt, result.encoded, "result")
        return [(replace(output, **_measures(result)), result.encoded.data), *others]

    def _output(self, attempt: Attempt, image: Encoded, kind: str) -> StoredOutput:
        job = attempt.claimed
        ref = output_ref(self.store.bucket, job.job_id, job.number, image.name)
        sha256 = hashlib.sha256(image.data).hexdigest()
        return StoredOutput(str(ref), sha256, image.format, image.width, image.height, len(image.data), job.seed, kind)

    def _store(self, attempt: Attempt, objects: list[tuple[StoredOutput, bytes]]) -> None:
        with attempt.phase("store"):
            for output, data in objects:
                put = functools.partial(self.store.put, ObjectRef.parse(output.uri), data, FORMATS[output.format][1])
                patiently(put, for_s=_STORE_PATIENCE_S, check=attempt.check)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the job's row says of mask, fit and output. Read first: what is not understood costs no download."""

    edit: EditOptions
    #: None: the mask is a picture, or the transparency of the source.
    shapes: MaskShapes | None

    @classmethod
    def of(cls, job: Claimed) -> _Wanted:
        shapes = None if job.mask_shapes is None else _understood(MaskShapes, job.mask_shapes)
        return cls(_understood(EditOptions, job.edit), shapes)


def _understood(kind: type[_Model], stored: dict[str, Any]) -> _Model:
    """What the database holds of a request. It was checked when it came: only a newer producer's is not understood."""
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        names = ", ".join(printable(".".join(str(part) for part in item["loc"])) for item in error.errors()[:5])
        raise WorkerBehind(
            f"The job was submitted by a newer version than this worker's: it does not understand {names or 'it'}. "
            "Upgrade the worker; the job waits for one that does."
        ) from None


def _asked_for(card: ModelCard) -> dict[str, str]:
    """A job's model and the one that an API was asked for may differ: the record names both."""
    return {"api_model": card.api_model} if card.api_model is not None else {}


def _measures(result: Result) -> dict[str, Any]:
    raw, fitting = result.raw, result.fitting
    return {
        "exact": result.exact,
        "outside_changed_pixels": result.outside_changed_pixels,
        "raw_outside_mean": raw.mean,
        "raw_outside_max": raw.highest,
        "raw_outside_changed_share": raw.changed_share,
        "inside_change_mean": fitting.inside_change_mean,
        "inside_deviation": fitting.inside_deviation,
        "seam_step": fitting.seam_step,
        "ring_step": fitting.ring_step,
    }


def _ran_out_of_memory(job: Claimed) -> bool:
    return job.last_error == GpuOutOfMemory.code
