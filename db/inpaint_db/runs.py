"""Benchmark runs: a dataset, models and seeds; each cell is a trial, and each trial is a job like any other."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from inpaint_core.tiers import Tier
from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, BigInt, Now, UuidKey, one_of


class ModelVersion(Base):
    """A model as a worker held it: commits of its weights, number format, what a vendor's API was asked for."""

    __tablename__ = "model_version"

    id: Mapped[UuidKey]
    model: Mapped[str] = mapped_column(ForeignKey("model.name"))
    fingerprint: Mapped[str] = mapped_column(unique=True)
    held: Mapped[dict[str, Any]] = mapped_column(doc="The part of environment.runtime that can change a picture")
    label: Mapped[str] = mapped_column(doc="The same for people")
    first_seen_at: Mapped[Now]


class Run(Base):
    """What was asked for. Running it again finishes what is missing."""

    __tablename__ = "run"

    id: Mapped[UuidKey]
    name: Mapped[str] = mapped_column(unique=True)
    dataset_version_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_version.id"))
    models: Mapped[list[str]] = mapped_column(ARRAY(Text))
    samples: Mapped[list[str] | None] = mapped_column(ARRAY(Text), doc="NULL: all of the dataset")
    seeds: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), doc="Of trial 1, 2, ...")
    parameters: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), doc="Overrides by model; under '*' for each model that has such a parameter"
    )
    edit: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    tier: Mapped[str] = mapped_column(server_default=Tier.EXACT.value, doc="What all of its jobs ask for")
    imported: Mapped[bool] = mapped_column(server_default=text("false"), doc="Made elsewhere, and read from files")
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Now]

    __table_args__ = (CheckConstraint("cardinality(seeds) >= 1", name="has_seeds"), one_of("tier", Tier))


class Trial(Base):
    """One model on one sample with one seed. Without a job: not yet submitted, or imported with its result."""

    __tablename__ = "trial"

    id: Mapped[UuidKey]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    model: Mapped[str] = mapped_column(ForeignKey("model.name"))
    sample_id: Mapped[UUID] = mapped_column(ForeignKey("sample.id"))
    number: Mapped[int] = mapped_column(doc="From 1: which of the run's seeds")
    seed: Mapped[BigInt]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("job.id"), unique=True)
    model_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_version.id"))

    imported_at: Mapped[datetime | None]
    made_on: Mapped[date | None] = mapped_column(doc="Of an imported result")
    output_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"), doc="An imported result")
    device_name: Mapped[str | None]
    inference_s: Mapped[float | None]
    cost_usd: Mapped[float | None]
    peak_memory_bytes: Mapped[BigInt | None]

    __table_args__ = (
        UniqueConstraint("run_id", "model", "sample_id", "number"),
        CheckConstraint("imported_at IS NULL OR job_id IS NULL", name="job_or_imported"),
        CheckConstraint("(imported_at IS NULL) = (output_sha256 IS NULL)", name="imported_has_output"),
        CheckConstraint("number >= 1", name="number_positive"),
        Index("ix_trial_sample", "sample_id"),
        Index("ix_trial_output", "output_sha256", postgresql_where=text("output_sha256 IS NOT NULL")),
    )


class Published(Base):
    """What others have published of a model, beside which own numbers are shown. Never mixed with them."""

    __tablename__ = "published"

    source: Mapped[str] = mapped_column(primary_key=True, doc="Short name of the publication")
    model: Mapped[str] = mapped_column(primary_key=True, doc="As the publication calls it")
    card: Mapped[str | None] = mapped_column(doc="Name of the model card here")
    position: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(doc="Release date, architecture, size, ... as published")
    realism: Mapped[int | None]
    adaptability: Mapped[int | None]
    consistency: Mapped[int | None]
    preservation: Mapped[int | None]
    reproducibility: Mapped[int | None]
    gpu_memory_gb: Mapped[float | None]
    inference_s: Mapped[float | None]
    cost_per_1k_usd: Mapped[float | None]
    device: Mapped[str | None]
    usd_per_hour: Mapped[float | None]
    pixels: Mapped[int | None]
    steps: Mapped[int | None]
    published_on: Mapped[date | None]
