"""Where jobs run: models, machines with their libraries, worker processes, and what a device costs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from inpaint_core.status import WorkerState
from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, BigInt, Now, UuidKey, one_of


class Model(Base):
    """A model that jobs were sent to or workers served, with its newest card."""

    __tablename__ = "model"

    name: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str]
    card: Mapped[dict[str, Any]]
    first_seen_at: Mapped[Now]
    updated_at: Mapped[Now]
    lifted_at: Mapped[datetime | None] = mapped_column(doc="When a job that had waited long was last put in front")


class Environment(Base):
    """A machine and its libraries, as far as they can change a result or its time. Equal ones share a row."""

    __tablename__ = "environment"

    id: Mapped[UuidKey]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    device_kind: Mapped[str] = mapped_column(doc="cpu, cuda, or api: a vendor's")
    device_name: Mapped[str]
    device_memory_bytes: Mapped[BigInt | None]
    driver_version: Mapped[str | None]
    python_version: Mapped[str]
    operating_system: Mapped[str]
    packages: Mapped[dict[str, Any]]
    runtime: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), doc="How a model is held: number format, revisions of its weights, savers"
    )
    first_seen_at: Mapped[Now]

    __table_args__ = (CheckConstraint("device_kind IN ('cpu', 'cuda', 'api')", name="device_kind_known"),)


class Worker(Base):
    """A worker process. It lives while `seen_at` is recent, whatever `state` says."""

    __tablename__ = "worker"

    id: Mapped[UuidKey]
    model: Mapped[str] = mapped_column(ForeignKey("model.name"))
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environment.id"))
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=WorkerState.LOADING.value)
    started_at: Mapped[Now]
    ready_at: Mapped[datetime | None]
    seen_at: Mapped[Now]
    stopped_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("state", WorkerState),
        Index("ix_worker_live", "model", "seen_at", postgresql_where=text("state <> 'stopped'")),
    )


class Price(Base):
    """What a device costs an hour, or an API an image, while it is valid. NULL `valid_to`: until further notice."""

    __tablename__ = "price"

    id: Mapped[UuidKey]
    device_kind: Mapped[str | None]
    device_name: Mapped[str | None] = mapped_column(doc="NULL: every device of the kind")
    model: Mapped[str | None] = mapped_column(ForeignKey("model.name"), doc="For prices per image")
    usd_per_hour: Mapped[float | None]
    usd_per_image: Mapped[float | None]
    valid_from: Mapped[Now]
    valid_to: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        CheckConstraint("(usd_per_hour IS NULL) <> (usd_per_image IS NULL)", name="one_amount"),
        CheckConstraint("(usd_per_hour IS NULL) = (device_kind IS NULL)", name="hourly_is_for_a_device"),
        CheckConstraint("(usd_per_image IS NULL) = (model IS NULL)", name="per_image_is_for_a_model"),
        CheckConstraint("coalesce(usd_per_hour, usd_per_image) >= 0", name="not_negative"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_range"),
        Index("ix_price_device", "device_kind", "device_name", "valid_from"),
    )
