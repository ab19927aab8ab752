"""The story of one job: claim, fetch, prepare, infer, composite, encode, store, finish."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from inpaint_core.errors import (
    GpuOutOfMemory,
    InpaintError,
    ObjectChanged,
    OperatorError,
    RequestError,
    ServiceUnavailable,
    WorkerMustExit,
)
from inpaint_core.images import Limits
from inpaint_core.log import get_logger
from inpaint_core.patience import patiently
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef, ObjectStore, output_ref
from inpaint_db.claims import Claimed, StoredOutput, claim
from inpaint_db.presence import WorkerIdentity
from inpaint_db.session import Database

from inpaint_worker.attempt import Attempt, AttemptStopped
from inpaint_worker.geometry.canvas import Canvas, composite, open_canvas
from inpaint_worker.geometry.encode import encode_png
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Edit
from inpaint_worker.pipelines.base import Pixels
from inpaint_worker.resident import Resident

#: How long an attempt waits out an object store that is away, before and after the device was used.
_FETCH_PATIENCE_S = 5
_STORE_PATIENCE_S = 120
#: A worker rests so long after a job that an outage kept it from.
_AWAY_S = 1
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
            source, mask = self._fetch(attempt)
            canvas = self._prepare(attempt, source, mask)
            painted = self._infer(attempt, canvas)
            data, stored = self._compose(attempt, canvas, painted)
            self._store(attempt, stored, data)
            outcome.succeeded([stored])
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

    def _fetch(self, attempt: Attempt) -> tuple[bytes, bytes]:
        job = attempt.claimed
        with attempt.phase("fetch"):
            return (
                self._get(attempt, job.source_uri, job.source_sha256),
                self._get(attempt, job.mask_uri, job.mask_sha256),
            )

    def _get(self, attempt: Attempt, uri: str, sha256: str | None) -> bytes:
        ref = ObjectRef.parse(uri)
        limit = self.settings.max_image_bytes
        data = patiently(lambda: self.store.get(ref, limit), for_s=_FETCH_PATIENCE_S, check=attempt.check)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise ObjectChanged(f"{uri} is not what was submitted: its bytes have changed since. Submit the job again.")
        return data

    def _prepare(self, attempt: Attempt, source: bytes, mask: bytes) -> Canvas:
        with attempt.phase("prepare"):
            return open_canvas(source, mask, Limits.of(self.settings))

    def _infer(self, attempt: Attempt, canvas: Canvas) -> Pixels:
        job = attempt.claimed
        parameters = self.resident.pipeline.card.resolve(job.parameters)
        attempt.report.parameters = parameters
        edit = Edit(
            canvas.pixels,
            canvas.region,
            job.seed,
            job.prompt,
            job.negative_prompt,
            parameters,
            save_memory=_ran_out_of_memory(job),
        )
        return self.resident.run(attempt, edit)

    def _compose(self, attempt: Attempt, canvas: Canvas, painted: Pixels) -> tuple[bytes, StoredOutput]:
        job = attempt.claimed
        with attempt.phase("composite"):
            image = composite(canvas, painted)
        with attempt.phase("encode"):
            data = encode_png(image, canvas.icc_profile)
        ref = output_ref(self.store.bucket, job.job_id, job.number, "result.png")
        sha256 = hashlib.sha256(data).hexdigest()
        return data, StoredOutput(str(ref), sha256, "PNG", image.width, image.height, len(data), job.seed)

    def _store(self, attempt: Attempt, output: StoredOutput, data: bytes) -> None:
        ref = ObjectRef.parse(output.uri)
        with attempt.phase("store"):
            patiently(lambda: self.store.put(ref, data, "image/png"), for_s=_STORE_PATIENCE_S, check=attempt.check)


def _ran_out_of_memory(job: Claimed) -> bool:
    return job.last_error == GpuOutOfMemory.code
