"""The story of one job: claim, fetch, prepare, paint, encode, store, finish."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from inpaint_core.card import ModelCard
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
from inpaint_core.job import MAX_SEED
from inpaint_core.log import get_logger
from inpaint_core.patience import patiently
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef, ObjectStore, output_ref
from inpaint_core.tiers import Tier
from inpaint_db.claims import Claimed, StoredOutput, claim
from inpaint_db.presence import WorkerIdentity
from inpaint_db.session import Database

from inpaint_worker.arrays import Pixels
from inpaint_worker.attempt import Attempt, AttemptStopped
from inpaint_worker.geometry.canvas import Canvas, Result, open_canvas
from inpaint_worker.geometry.encode import Encoded
from inpaint_worker.geometry.guides import open_control, open_reference
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Control, Edit, Reference
from inpaint_worker.resident import Resident
from inpaint_worker.wanted import Wanted, inputs_of

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

        Raises `ServiceUnavailable` if the job could not be claimed, and `WorkerMustExit`.
        """
        with structlog.contextvars.bound_contextvars(job_id=str(job_id)):
            with self.heartbeat.claiming() as may:
                if not may:
                    raise ServiceUnavailable("This worker is about to end; the job is for another.")
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
            wanted = Wanted.of(claimed, self.resident.pipeline.card)
            canvas, reference = self._prepare(attempt, wanted, self._fetch(attempt))
            objects = self._paint_all(attempt, wanted, canvas, reference)
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
                tier=self.settings.tier.value,
            )

    def _fetch(self, attempt: Attempt) -> dict[str, bytes]:
        """The job's inputs by role: source, and mask, reference and control if they are objects."""
        with attempt.phase("fetch"):
            return {role: self._get(attempt, *each) for role, each in inputs_of(attempt.claimed).items()}

    def _get(self, attempt: Attempt, uri: str, sha256: str | None) -> bytes:
        ref = ObjectRef.parse(uri)
        limit = self.settings.max_image_bytes
        data = patiently(lambda: self.store.get(ref, limit), for_s=_FETCH_PATIENCE_S, check=attempt.check)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise ObjectChanged(f"{uri} is not what was submitted: its bytes have changed since. Submit the job again.")
        return data

    def _prepare(self, attempt: Attempt, wanted: Wanted, inputs: dict[str, bytes]) -> tuple[Canvas, Reference | None]:
        with attempt.phase("prepare"):
            rule, limits = self.resident.pipeline.card.size, Limits.of(self.settings)
            canvas = open_canvas(inputs["source"], inputs.get("mask", wanted.shapes), wanted.edit, rule, limits)
            if "control" in inputs:
                canvas.control = open_control(inputs["control"], canvas.source.size, limits)
            reference = None
            if "reference" in inputs:
                reference = Reference(open_reference(inputs["reference"], limits), wanted.reference_strength)
            report = attempt.report
            report.normalised, report.region_pixels = canvas.source.normalised, canvas.region.pixels
            report.windows, report.warnings = [w.described() for w in canvas.windows], canvas.warnings
            return canvas, reference

    def _paint_all(
        self, attempt: Attempt, wanted: Wanted, canvas: Canvas, reference: Reference | None
    ) -> list[tuple[StoredOutput, bytes]]:
        """Every output that was asked for, painted and encoded, with what else is stored of it."""
        job, pipeline = attempt.claimed, self.resident.pipeline
        parameters = pipeline.card.resolve(job.parameters)
        saver = _ran_out_of_memory(job)
        attempt.report.parameters = {
            **parameters, **wanted.described(job), **_left_out(pipeline.card, wanted.tier), **_asked_for(pipeline.card)
        }  # fmt: skip
        if saver:  # it may change the picture a little
            attempt.report.parameters |= {"save_memory": True}
        ask = functools.partial(
            Edit,
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            parameters=parameters,
            tier=wanted.tier,
            save_memory=saver,
        )
        objects: list[tuple[StoredOutput, bytes]] = []
        for number in range(job.outputs):
            fresh = canvas if number == job.outputs - 1 else canvas.again()
            turn = _Turn(number, job.outputs)
            self._paint(attempt, wanted, fresh, reference, functools.partial(ask, seed=_seed(job, number)), turn)
            objects += self._encode(attempt, fresh, turn)
        return objects

    def _paint(
        self,
        attempt: Attempt,
        wanted: Wanted,
        canvas: Canvas,
        reference: Reference | None,
        ask: Callable[..., Edit],
        turn: _Turn,
    ) -> None:
        """Window by window: a later one sees what was painted in those before it."""
        count = len(canvas.windows)
        for number in range(count):
            with attempt.phase("prepare"):
                image, region = canvas.show(number)
                control = _control(wanted, canvas.show_control(number))
                # A pipeline may write into what it is given.
                own = None if reference is None else replace(reference, image=reference.image.copy())
                edit = ask(image=image, region=region, reference=own, control=control)

            def step(done: int, total: int, before: int = number) -> None:
                attempt.step((turn.number * count + before) * total + done, turn.count * count * total)

            painted = self.resident.run(attempt, edit, step)
            # Only after the last one is the job past the device.
            last = turn.is_last and number == count - 1
            with attempt.phase("composite" if last else "prepare", counts_as="composite"):
                canvas.take(number, painted)

    def _encode(self, attempt: Attempt, canvas: Canvas, turn: _Turn) -> list[tuple[StoredOutput, bytes]]:
        """Everything that is stored of an output, the result first. It is decoded again and compared with the source.

        The region is the same for all outputs, and stored with the first.
        """
        with attempt.phase("encode" if turn.is_last else "prepare", counts_as="encode"):
            result = canvas.result()
            others = [
                (self._output(attempt, encoded, kind, turn.number), encoded.data)
                for kind, encoded in canvas.others()
                if turn.number == 0 or kind != "region"
            ]
        output = self._output(attempt, result.encoded, "result", turn.number)
        return [(replace(output, **_measures(result)), result.encoded.data), *others]

    def _output(self, attempt: Attempt, image: Encoded, kind: str, number: int) -> StoredOutput:
        job = attempt.claimed
        name = image.name if number == 0 else f"{number + 1}-{image.name}"
        ref = output_ref(self.store.bucket, job.job_id, job.number, name)
        sha256 = hashlib.sha256(image.data).hexdigest()
        return StoredOutput(
            str(ref), sha256, image.format, image.width, image.height, len(image.data),
            _seed(job, number), kind, number + 1,
        )  # fmt: skip

    def _store(self, attempt: Attempt, objects: list[tuple[StoredOutput, bytes]]) -> None:
        with attempt.phase("store"):
            for output, data in objects:
                put = functools.partial(self.store.put, ObjectRef.parse(output.uri), data, FORMATS[output.format][1])
                patiently(put, for_s=_STORE_PATIENCE_S, check=attempt.check)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Which of a job's outputs is being made, from 0."""

    number: int
    count: int

    @property
    def is_last(self) -> bool:
        """Nothing is painted after it."""
        return self.number == self.count - 1


def _seed(job: Claimed, number: int) -> int:
    """Of output `number`, from 0: the job's own for the first."""
    return (job.seed + number) % (MAX_SEED + 1)


def _control(wanted: Wanted, image: Pixels | None) -> Control | None:
    if image is None or wanted.control_type is None:
        return None
    return Control(image, wanted.control_type, wanted.control_strength)


def _left_out(card: ModelCard, tier: Tier) -> dict[str, float]:
    """What the tier meant at the time: a deployment may change its card."""
    return card.tiers[tier].model_dump(exclude_none=True) if tier in card.tiers else {}


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
