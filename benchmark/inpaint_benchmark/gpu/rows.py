"""What was measured, as it is kept: a row for each order. What is unknown is null, and `unknown` says why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from inpaint_core.job import ParameterValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inpaint_benchmark.gpu.orders import Order

M = TypeVar("M", bound="Measured")
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Spread(_Model):
    """Of several runs of the same."""

    median: NotNegative
    min: NotNegative
    max: NotNegative


class Machine(_Model):
    """Where it was measured, and with which versions."""

    device_kind: Literal["cuda", "cpu"]
    device_name: str
    device_memory_gb: float | None
    driver: str | None
    #: That torch was built for, and of cuDNN.
    cuda: str | None
    cudnn: str | None
    cpu: str
    python: str
    operating_system: str
    packages: dict[str, str]


class Measured(_Model):
    """Numbers of a row. A field that is None stands in `unknown`, with the reason."""

    unknown: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tells_why(self) -> Measured:
        for name in type(self).model_fields:
            if getattr(self, name) is None and name not in self.unknown:
                raise ValueError(f"{name} is null, and unknown does not say why")
        return self

    @classmethod
    def of(cls: type[M], found: dict[str, Any], why: str) -> M:
        """What was found, and for the rest the reason that it was not."""
        # Reasons that were told beforehand are of no use where the field was found after all.
        unknown = {name: reason for name, reason in found.get("unknown", {}).items() if found.get(name) is None}
        for name, field in cls.model_fields.items():
            if not field.is_required() and found.get(name) is None and name not in ("unknown", "what"):
                unknown.setdefault(name, why)
        return cls.model_validate({**found, "unknown": unknown})


class Rate(_Model):
    """What matrix multiplications reach on this device: random numbers, N x N by N x N."""

    tflop_per_s: Positive
    n: int
    dtype: str
    lasted_s: Positive


class GpuState(_Model):
    """The GPU while the steady images were made, asked twice a second."""

    clock_mhz: NotNegative
    lowest_clock_mhz: NotNegative
    power_w: NotNegative
    #: The highest, degrees Celsius.
    temperature_c: NotNegative
    samples: Annotated[int, Field(gt=0)]


class Loaded(Measured):
    """What a model costs before its first image."""

    #: The worker's own first run with few steps; what is compiled is compiled in it.
    warm_s: NotNegative | None = None

    import_s: NotNegative | None = None
    #: Weights from the disk to the device.
    load_s: NotNegative | None = None
    #: Share of the weights that the system held in memory before they were read, 0 to 1.
    page_cache: Annotated[float, Field(ge=0, le=1)] | None = None
    weights_gb: NotNegative | None = None


class Seconds(Loaded):
    """One image after the other, as a worker makes them."""

    what: Literal["seconds"] = "seconds"
    #: From loaded to the first result, the warm-up included.
    first_image_s: NotNegative | None = None
    #: On the device, an image.
    image_s: Spread | None = None
    #: On the CPU before and after it, an image: in a fleet, the neighbouring jobs' time on the device hides it.
    beside_s: Spread | None = None
    step_ms: NotNegative | None = None
    peak_allocated_gb: NotNegative | None = None
    peak_reserved_gb: NotNegative | None = None
    #: Graphs that were compiled while the steady images were made; each costs a job seconds.
    recompilations: Annotated[int, Field(ge=0)] | None = None
    #: Since loading: how often something was to be compiled and was not, because a limit of graphs was reached or torch
    #: could not. What is not compiled runs as slowly as plain Python, in every image that follows.
    not_compiled: Annotated[int, Field(ge=0)] | None = None
    #: Of an image: passes of the network that all steps take, and those that were computed, mean of the steady images.
    passes: NotNegative | None = None
    passes_computed: NotNegative | None = None
    #: Right after the steady images, so of a GPU as warm as it was with them.
    matmul: Rate | None = None
    #: After the warm-up, before the first image.
    matmul_before: Rate | None = None
    gpu_state: GpuState | None = None
    #: Of one image in tier exact, counted: not measured.
    tflop: Positive | None = None
    tflop_of: dict[str, NotNegative] | None = None


class Case(_Model):
    """One way to paint the same edit of the same photo."""

    name: str
    #: Of the photo, 0 to 1.
    masked: Positive
    windows: list[tuple[int, int]]
    painted_pixels: int
    image_s: Spread
    beside_s: Spread
    peak_allocated_gb: NotNegative | None
    tflop: Positive | None


class Cropping(Loaded):
    """What painting a crop instead of the whole photo saves."""

    what: Literal["cropping"] = "cropping"
    cases: list[Case] | None = None


class Throughput(Measured):
    """A whole worker behind its queue, against its pipeline alone, in one process."""

    what: Literal["throughput"] = "throughput"
    #: Images of a loop: as many as were ordered, else as many as take a minute. There are as many jobs.
    loop_images: int | None = None
    #: A loop of the pipeline before the jobs and one after them, an image.
    bare_s: NotNegative | None = None
    bare_after_s: NotNegative | None = None
    #: From one finished job to the next, mean.
    job_s: NotNegative | None = None
    jobs: int | None = None
    jobs_per_hour: NotNegative | None = None
    bare_per_hour: NotNegative | None = None
    #: Jobs per hour through those of the bare loops.
    share: NotNegative | None = None
    #: Share of the time in which a job was on the device, between the ends of the first and the last there.
    busy: NotNegative | None = None


AnyMeasured: TypeAlias = Annotated[Seconds | Cropping | Throughput, Field(discriminator="what")]


class Row(_Model):
    """One order, carried out."""

    version: Literal[1] = 1
    order: Order
    begun_at: datetime
    #: Of the whole: the process, from its start to its end.
    wall_s: NotNegative
    #: What writing the random weights took before it; None: they were there.
    write_s: NotNegative | None = None
    #: Why it was not measured to its end.
    failed: str | None = None
    #: The time limit of the command that ended it, seconds: with a longer one it is tried again.
    ended_by_limit_s: NotNegative | None = None
    #: Writing its weights took so much of that limit that another call may suffice: the parts of them that were
    #: complete before. It is tried again; if no more are there then, for the last time.
    parts_before: Annotated[int, Field(ge=0)] | None = None
    machine: Machine | None = None
    #: How the worker's pipeline says that it holds the model.
    runtime: dict[str, Any] = Field(default_factory=dict)
    #: Complete: with the card's defaults.
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    #: What the model painted, pixels; one for each window.
    painted: list[tuple[int, int]] = Field(default_factory=list)
    measured: AnyMeasured


_KINDS: dict[str, type[Measured]] = {"seconds": Seconds, "cropping": Cropping, "throughput": Throughput}


def measured_of(what: str, found: dict[str, Any], why: str) -> Any:
    """The numbers of a row of this kind; `why`: for those that are not among `found`."""
    return _KINDS[what].of(found, why)


def checked(what: str, found: dict[str, Any], why: str) -> tuple[Any, str | None]:
    """As `measured_of`, without what cannot be true, such as a time that is no number; and what that was, or None."""
    try:
        return measured_of(what, found, why), None
    except ValidationError as error:
        wrong = {str(each["loc"][0]) if each["loc"] else "": each for each in error.errors()}
        sentence = "; ".join(
            f"{'.'.join(map(str, each['loc']))} is {each['input']!r:.60}: {each['msg']}" for each in wrong.values()
        )
        reason = f"What was measured cannot be true: {sentence}."
        kept = {name: value for name, value in found.items() if name not in wrong}
        return measured_of(what, kept, "what was measured cannot be true"), reason
