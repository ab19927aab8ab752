"""Measures: numbers that are computed of stored pictures afterwards, each with the version of what computed it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, Now, UuidKey


class Metric(Base):
    """What a number is. A new implementation is a new version; numbers of the old one stay."""

    __tablename__ = "metric"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit: Mapped[str]
    direction: Mapped[str] = mapped_column(doc="Which is better: higher, lower, or none")
    scope: Mapped[str] = mapped_column(doc="output: one picture; trials: all trials of a model on a sample")
    description: Mapped[str]
    #: At most one of each name.
    current: Mapped[bool] = mapped_column(doc="Whether views show this version")

    __table_args__ = (
        CheckConstraint("direction IN ('higher', 'lower', 'none')", name="direction_known"),
        CheckConstraint("scope IN ('output', 'trials')", name="scope_known"),
        Index("ix_metric_current", "name", unique=True, postgresql_where="current"),
    )


class Measure(Base):
    """A number, or why there is none. Of a trial, or of all trials of a model on a sample."""

    __tablename__ = "measure"

    id: Mapped[UuidKey]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    model: Mapped[str]
    sample_id: Mapped[UUID] = mapped_column(ForeignKey("sample.id"))
    trial_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("trial.id", ondelete="CASCADE"), doc="NULL: of all trials together"
    )
    metric: Mapped[str]
    version: Mapped[int]
    value: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(doc="Why there is no value: identical, no_ground_truth, ...")
    computed_at: Mapped[Now]

    __table_args__ = (
        ForeignKeyConstraint(["metric", "version"], ["metric.name", "metric.version"]),
        CheckConstraint("(value IS NULL) <> (reason IS NULL)", name="value_or_reason"),
        CheckConstraint("value NOT IN ('NaN', 'Infinity', '-Infinity')", name="finite"),
        Index(
            "ix_measure_key",
            "run_id",
            "model",
            "sample_id",
            "trial_id",
            "metric",
            "version",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        # The value of a trial: unique, so that views leave out the metrics that a query does not name.
        Index("ix_measure_trial", "trial_id", "metric", "version", unique=True, postgresql_include=["value"]),
        # One metric over many trials, and sample by sample: answered from the index alone.
        Index(
            "ix_measure_metric",
            "metric",
            "version",
            "run_id",
            "model",
            "sample_id",
            postgresql_include=["trial_id", "value"],
        ),
    )
