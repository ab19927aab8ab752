"""Jobs and their attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.status import AttemptStatus, JobStatus, MaskKind, Priority
from inpaint_core.tiers import Tier
from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, BigInt, Now, UuidKey, one_of


class Job(Base):
    """One request and where it stands. `id` is also the Celery task id."""

    __tablename__ = "job"

    id: Mapped[UuidKey]
    model: Mapped[str] = mapped_column(ForeignKey("model.name"))
    status: Mapped[str] = mapped_column(server_default=JobStatus.QUEUED.value)

    source_uri: Mapped[str | None]
    source_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    mask_uri: Mapped[str | None] = mapped_column(doc="NULL: the mask is the transparency of the source, or shapes")
    mask_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    mask_kind: Mapped[str] = mapped_column(server_default=MaskKind.OBJECT.value)
    mask_shapes: Mapped[dict[str, Any] | None] = mapped_column(doc="Boxes and polygons, pixels of the source")
    prompt: Mapped[str] = mapped_column(server_default="")
    negative_prompt: Mapped[str] = mapped_column(server_default="")
    seed: Mapped[BigInt | None]
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    edit: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), doc="Options of mask, fit and output that differ from the defaults"
    )

    outputs: Mapped[int] = mapped_column(server_default="1", doc="Variants that were asked for: seed, seed + 1, ...")
    tier: Mapped[str | None] = mapped_column(doc="What may be given up for speed; NULL: what its worker is set to")
    reference_uri: Mapped[str | None] = mapped_column(doc="A picture of what belongs into the region")
    reference_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    reference_strength: Mapped[float | None] = mapped_column(doc="NULL: the model's default")
    control_uri: Mapped[str | None] = mapped_column(doc="A map of lines, depths or joints for the whole source")
    control_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    control_type: Mapped[str | None]
    control_strength: Mapped[float | None] = mapped_column(doc="NULL: the model's default")

    campaign: Mapped[str | None]
    tags: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    priority: Mapped[str] = mapped_column(server_default=Priority.NORMAL.value)
    deadline: Mapped[datetime | None]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    request_hash: Mapped[str]

    max_attempts: Mapped[int]
    attempt: Mapped[int] = mapped_column(server_default="0", doc="Number of the newest attempt: the fencing token")
    failures: Mapped[int] = mapped_column(server_default="0", doc="Attempts that counted against max_attempts")
    worker_id: Mapped[UUID | None] = mapped_column(ForeignKey("worker.id"))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[Now] = mapped_column(doc="No claim before: the pause before a retry")
    cancel_requested_at: Mapped[datetime | None]

    submitted_at: Mapped[Now]
    queued_at: Mapped[Now] = mapped_column(doc="When it last entered the queue")
    published_at: Mapped[datetime | None] = mapped_column(doc="When its message was last sent; NULL: not yet")
    started_at: Mapped[datetime | None] = mapped_column(doc="Start of the newest attempt; a retry by hand clears it")
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]

    __table_args__ = (
        one_of("status", JobStatus),
        one_of("priority", Priority),
        # A message that could not be understood is kept as a failed job, so that its sender finds out why.
        CheckConstraint(
            "(source_uri IS NOT NULL AND (mask_kind <> 'object' OR mask_uri IS NOT NULL)) OR status = 'failed'",
            name="has_inputs",
        ),
        CheckConstraint("mask_kind = 'object' OR mask_uri IS NULL", name="one_mask"),
        CheckConstraint("(mask_kind = 'shapes') = (mask_shapes IS NOT NULL)", name="shapes_are_shapes"),
        one_of("mask_kind", MaskKind),
        one_of("tier", Tier),
        CheckConstraint("outputs >= 1", name="outputs_positive"),
        CheckConstraint("(control_uri IS NULL) = (control_type IS NULL)", name="control_has_type"),
        CheckConstraint("reference_uri IS NOT NULL OR reference_strength IS NULL", name="strength_of_reference"),
        CheckConstraint("control_uri IS NOT NULL OR control_strength IS NULL", name="strength_of_control"),
        CheckConstraint("status = 'running' OR (lease_until IS NULL AND worker_id IS NULL)", name="lease_only_running"),
        CheckConstraint("status <> 'running' OR lease_until IS NOT NULL", name="running_has_lease"),
        CheckConstraint("(status IN ('queued', 'running')) = (finished_at IS NULL)", name="finished_when_final"),
        CheckConstraint("attempt >= 0 AND failures >= 0 AND failures <= attempt", name="counts"),
        CheckConstraint("max_attempts >= 1", name="max_attempts_positive"),
        # What the relay, the autoscaler and `inpaint status` ask all day; finished jobs are not in it.
        Index(
            "ix_job_active", "model", "status", "queued_at", postgresql_where=text("status IN ('queued', 'running')")
        ),
        Index("ix_job_unpublished", "not_before", postgresql_where=text("status = 'queued' AND published_at IS NULL")),
        Index("ix_job_lease", "lease_until", postgresql_where=text("status = 'running'")),
        Index(
            "ix_job_deadline",
            "deadline",
            postgresql_where=text("status IN ('queued', 'running') AND deadline IS NOT NULL"),
        ),
        # How many jobs of a campaign wait: asked at every submit.
        Index(
            "ix_job_waiting",
            "model",
            "priority",
            text("coalesce(campaign, '')"),
            postgresql_where=text("status = 'queued'"),
        ),
        Index("ix_job_campaign", "campaign", "submitted_at", postgresql_where=text("campaign IS NOT NULL")),
        Index("ix_job_submitted_at", "submitted_at"),
        Index("ix_job_source", "source_sha256"),
        Index("ix_job_mask", "mask_sha256"),
        # Few jobs have them.
        Index("ix_job_reference", "reference_sha256", postgresql_where=text("reference_sha256 IS NOT NULL")),
        Index("ix_job_control", "control_sha256", postgresql_where=text("control_sha256 IS NOT NULL")),
    )


class Attempt(Base):
    """One execution of a job: who ran it, where its seconds went, and how it ended. Times are seconds."""

    __tablename__ = "attempt"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker_id: Mapped[UUID] = mapped_column(ForeignKey("worker.id"))
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environment.id"))
    status: Mapped[str] = mapped_column(server_default=AttemptStatus.RUNNING.value)
    started_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    first_after_load: Mapped[bool] = mapped_column(server_default=text("false"))
    tier: Mapped[str] = mapped_column(server_default=Tier.EXACT.value, doc="What it runs in, decided with the claim")

    phase: Mapped[str | None] = mapped_column(doc="What it is doing, by the newest heartbeat")
    steps_done: Mapped[int | None]
    steps_total: Mapped[int | None]

    queue_wait_s: Mapped[float | None]
    fetch_s: Mapped[float | None]
    prepare_s: Mapped[float | None]
    gpu_wait_s: Mapped[float | None]
    inference_s: Mapped[float | None]
    composite_s: Mapped[float | None]
    encode_s: Mapped[float | None]
    store_s: Mapped[float | None]

    peak_memory_bytes: Mapped[BigInt | None]
    peak_memory_kind: Mapped[str | None] = mapped_column(doc="cuda_allocated, or process_rss")
    seed: Mapped[BigInt | None]
    parameters: Mapped[dict[str, Any] | None] = mapped_column(doc="All parameters as they ran")
    normalised: Mapped[dict[str, Any] | None] = mapped_column(doc="What was changed on reading: before and after")
    region_pixels: Mapped[BigInt | None] = mapped_column(doc="Pixels of the source that the job may change")
    windows: Mapped[list[Any] | None] = mapped_column(
        doc="What the model saw: boxes in the source, and the size that it painted them in"
    )
    warnings: Mapped[list[Any] | None] = mapped_column(doc="What is allowed and may still be a mistake")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]

    __table_args__ = (
        one_of("status", AttemptStatus),
        one_of("tier", Tier),
        CheckConstraint("number >= 1", name="number_positive"),
        CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished_when_final"),
        CheckConstraint("(peak_memory_bytes IS NULL) = (peak_memory_kind IS NULL)", name="peak_memory_has_kind"),
        Index("ix_attempt_started_at", "started_at"),
        Index("ix_attempt_worker", "worker_id"),
    )


#: The phases of an attempt in their order, as columns of `attempt`.
PHASES = (
    "queue_wait_s",
    "fetch_s",
    "prepare_s",
    "gpu_wait_s",
    "inference_s",
    "composite_s",
    "encode_s",
    "store_s",
)
