"""Every error of the fleet, in one tree, split at the root by what happens next.

InpaintError
 ├─ RetryableError            the same job may succeed later: it goes back to its queue after a pause
 │   ├─ ServiceUnavailable        Redis, Postgres, S3 or a vendor's API did not answer (`service`, `address`)
 │   │   ├─ BrokerUnavailable
 │   │   ├─ DatabaseUnavailable
 │   │   └─ StorageUnavailable
 │   ├─ GpuOutOfMemory            the job needs more GPU memory than is free
 │   ├─ AnswerUnusable            a vendor's API did not answer in time, or with something else than a picture
 │   └─ PreservationFailed        pixels outside the edit region would have changed; nothing was stored
 ├─ RequestError              the same request fails again: the job is refused or failed, with a remedy
 │   ├─ InvalidRequest            a field is missing, unknown or out of range (`field`)
 │   │   ├─ UnknownModel              no such model (`model`, `nearest`)
 │   │   ├─ ModelRetired              the model is no longer served
 │   │   ├─ ParameterInvalid          a parameter the model does not have, or outside its range
 │   │   ├─ PromptRequired
 │   │   └─ CannotDo                  the model has no such ability (`models`: those that have)
 │   ├─ ImageError                the image cannot be used
 │   │   ├─ UnreadableImage
 │   │   │   ├─ FormatRefused            not one of the accepted formats
 │   │   │   └─ TooManyFrames
 │   │   ├─ ImageTooLarge
 │   │   ├─ MaskSizeMismatch, ControlMismatch
 │   │   ├─ EmptyMask
 │   │   ├─ FullMask
 │   │   ├─ ColouredMask, ShadedMask     a picture, given as a mask
 │   │   ├─ NoTransparency            transparency was to be the mask, and there is none
 │   │   └─ MaskOutside               a box or polygon lies beside the picture
 │   ├─ ContentRefused            a vendor's content policy forbids the edit
 │   ├─ InputNotFound             a local file that does not exist
 │   ├─ ObjectNotFound            an object that the bucket does not hold
 │   ├─ ObjectChanged             an object whose bytes are no longer those that were submitted
 │   ├─ IdempotencyConflict       the key was used before for another request
 │   ├─ JobNotFound
 │   └─ JobFailed                 raised by the client when a job that it waits for did not succeed
 ├─ OperatorError             nothing is wrong with the job; somebody has to set something up
 │   ├─ SettingsInvalid, NotConfigured, AccessDenied, SchemaBehind, StackError, DiskFull, MissingExtra
 │   ├─ WorkerBehind                     the job asks for what only a newer worker understands
 │   ├─ WeightsMissing, WeightsGated     a model's weights are not there, or their licence is not accepted
 │   └─ DeviceTooSmall                   the GPU has less memory than the model needs, or there is none
 └─ WorkerMustExit            the process cannot be trusted any more: it exits, its supervisor starts a new one
     ├─ GpuContextBroken
     └─ StepHung

Facts are attributes. A message says what was wrong, what was found, and what to do. `code` is stable and is what
the database stores; `exit_code` is what the command line ends with (docs/cli.md lists them).
"""

from __future__ import annotations

from typing import ClassVar


class InpaintError(Exception):
    """Something went wrong in the fleet."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, **facts: object) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.facts = facts
        super().__init__(self.message)

    def __getattr__(self, name: str) -> object:
        # Facts read as attributes: `error.service`, `error.field`.
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(kind: type[InpaintError], message: str, facts: dict[str, object]) -> InpaintError:
    return kind(message, **facts)


# --- retry -----------------------------------------------------------------------------------------------------------


class RetryableError(InpaintError):
    """The job may succeed if it is tried again."""

    code = "retryable"
    exit_code = 4


class ServiceUnavailable(RetryableError):
    """A service that the fleet needs does not answer."""

    code = "service_unavailable"


class BrokerUnavailable(ServiceUnavailable):
    """Redis does not answer."""

    code = "broker_unavailable"


class DatabaseUnavailable(ServiceUnavailable):
    """Postgres does not answer."""

    code = "database_unavailable"


class StorageUnavailable(ServiceUnavailable):
    """The object store does not answer."""

    code = "storage_unavailable"


class GpuOutOfMemory(RetryableError):
    """The job needs more GPU memory than is free."""

    code = "gpu_out_of_memory"


class AnswerUnusable(RetryableError):
    """A vendor's API gave no answer in time, or none that can be used."""

    code = "answer_unusable"


class PreservationFailed(RetryableError):
    """Pixels outside the edit region would have changed, so nothing was stored."""

    code = "preservation_failed"


# --- fail the job ----------------------------------------------------------------------------------------------------


class RequestError(InpaintError):
    """The request cannot be carried out as it is."""

    code = "invalid_request"
    exit_code = 2


class InvalidRequest(RequestError):
    """A field of the request is missing, unknown or out of range."""


class UnknownModel(InvalidRequest):
    """The catalogue has no such model."""

    code = "unknown_model"


class ModelRetired(InvalidRequest):
    """The model is no longer served."""

    code = "model_retired"


class ParameterInvalid(InvalidRequest):
    """A parameter is not one of the model's, or outside its range."""

    code = "parameter_invalid"


class PromptRequired(InvalidRequest):
    """The model repaints after a prompt, and the request has none."""

    code = "prompt_required"


class CannotDo(InvalidRequest):
    """The model has no such ability."""

    code = "cannot_do"


class ImageError(RequestError):
    """The image cannot be used."""

    code = "image_invalid"


class UnreadableImage(ImageError):
    """The bytes are not an image in a supported format."""

    code = "image_unreadable"


class FormatRefused(UnreadableImage):
    """The image is in a format that is not accepted."""

    code = "image_format"


class TooManyFrames(UnreadableImage):
    """The image is an animation, or has several pages."""

    code = "image_frames"


class ImageTooLarge(ImageError):
    """The image is larger than the fleet accepts."""

    code = "image_too_large"


class MaskSizeMismatch(ImageError):
    """Mask and source differ in size."""

    code = "mask_size_mismatch"


class ControlMismatch(ImageError):
    """The control image has another shape than the source."""

    code = "control_mismatch"


class EmptyMask(ImageError):
    """The mask marks nothing to repaint."""

    code = "mask_empty"


class FullMask(ImageError):
    """The mask marks the whole picture."""

    code = "mask_full"


class ColouredMask(ImageError):
    """The mask has colours, so that what it marks would have to be guessed."""

    code = "mask_coloured"


class ShadedMask(ImageError):
    """The mask is mostly neither black nor white."""

    code = "mask_shaded"


class NoTransparency(ImageError):
    """Transparency was to be the mask, and the image has none."""

    code = "no_transparency"


class MaskOutside(ImageError):
    """A box or polygon of the mask lies beside the picture."""

    code = "mask_outside"


class ContentRefused(RequestError):
    """The content policy of the model's vendor forbids the edit."""

    code = "content_refused"


class InputNotFound(RequestError):
    """The file does not exist."""

    code = "input_not_found"
    exit_code = 3


class ObjectNotFound(RequestError):
    """The bucket does not hold the object."""

    code = "object_not_found"
    exit_code = 3


class ObjectChanged(RequestError):
    """The object's bytes are not those that were submitted."""

    code = "object_changed"


class JobNotFound(RequestError):
    """There is no such job."""

    code = "job_not_found"
    exit_code = 3


class IdempotencyConflict(RequestError):
    """The idempotency key was used before for another request."""

    code = "idempotency_conflict"
    exit_code = 6


class JobFailed(RequestError):
    """The job did not succeed."""

    code = "job_failed"
    exit_code = 5


# --- call the operator -----------------------------------------------------------------------------------------------


class OperatorError(InpaintError):
    """Something has to be set up."""

    code = "operator"
    exit_code = 7


class SettingsInvalid(OperatorError):
    """A setting has a wrong value."""

    code = "settings_invalid"


class NotConfigured(OperatorError):
    """A setting that is needed has no value."""

    code = "not_configured"


class AccessDenied(OperatorError):
    """A service refused the credentials."""

    code = "access_denied"


class SchemaBehind(OperatorError):
    """The database schema is older than this program. Run: inpaint db upgrade"""

    code = "schema_behind"


class StackError(OperatorError):
    """The local stack cannot do that now."""

    code = "stack"


class DiskFull(OperatorError):
    """The disk is full."""

    code = "disk_full"


class WeightsMissing(OperatorError):
    """The weights of the model are not where the worker looks."""

    code = "weights_missing"


class WeightsGated(OperatorError):
    """The licence of the weights has not been accepted."""

    code = "weights_gated"


class DeviceTooSmall(OperatorError):
    """The model needs more than the device has."""

    code = "device_too_small"


class WorkerBehind(OperatorError):
    """The job was submitted by a newer version than the worker's."""

    code = "worker_behind"


class MissingExtra(OperatorError):
    """An optional part of the package is not installed."""

    code = "missing_extra"


# --- the process must end --------------------------------------------------------------------------------------------


class WorkerMustExit(InpaintError):
    """The worker process cannot be trusted any more."""

    code = "worker_exit"


class GpuContextBroken(WorkerMustExit):
    """The GPU context is broken; only a new process gets a new one."""

    code = "gpu_context_broken"


class StepHung(WorkerMustExit):
    """A step made no progress within its time limit."""

    code = "step_hung"
