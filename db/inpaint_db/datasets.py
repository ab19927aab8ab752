"""Datasets: the samples that models are compared on, in versions that never change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, Now, UuidKey

#: Pictures of a sample, by role. Each is a column `<role>_sha256`, and an object that is named after its content.
SAMPLE_IMAGES = ("source", "mask", "truth", "reference", "object_mask", "effect_mask")


class Dataset(Base):
    """A name under which versions follow each other."""

    __tablename__ = "dataset"

    name: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[Now]


class DatasetVersion(Base):
    """What a dataset was when it was imported. Equal content is one version."""

    __tablename__ = "dataset_version"

    id: Mapped[UuidKey]
    dataset: Mapped[str] = mapped_column(ForeignKey("dataset.name"))
    version: Mapped[str]
    content_sha256: Mapped[str] = mapped_column(doc="Over ids, prompts and pictures of the samples")
    description: Mapped[str] = mapped_column(server_default="")
    licence: Mapped[str] = mapped_column(server_default="")
    imported_at: Mapped[Now]

    __table_args__ = (
        UniqueConstraint("dataset", "version"),
        UniqueConstraint("dataset", "content_sha256"),
    )


class Sample(Base):
    """One case: a source, a mask, what belongs into it, and perhaps the picture as it should be."""

    __tablename__ = "sample"

    id: Mapped[UuidKey]
    dataset_version_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_version.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(doc="Its id in the dataset")
    position: Mapped[int]
    prompt: Mapped[str] = mapped_column(server_default="")
    negative_prompt: Mapped[str] = mapped_column(server_default="")
    source_sha256: Mapped[str] = mapped_column(ForeignKey("image.sha256"))
    mask_sha256: Mapped[str] = mapped_column(ForeignKey("image.sha256"), doc="White is repainted")
    truth_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    reference_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    object_mask_sha256: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"), doc="White is the object")
    effect_mask_sha256: Mapped[str | None] = mapped_column(
        ForeignKey("image.sha256"), doc="White is the object with its shadow and reflections"
    )
    width: Mapped[int] = mapped_column(doc="Of the source, pixels")
    height: Mapped[int]
    coverage: Mapped[float] = mapped_column(doc="Share of the source that the mask marks, 0 to 1")
    licence: Mapped[str] = mapped_column(server_default="")
    source_url: Mapped[str | None]
    tags: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("dataset_version_id", "name"),
        CheckConstraint("coverage > 0 AND coverage < 1", name="coverage_share"),
        # So that cleaning finds out quickly that an image is one of a sample.
        *(Index(f"ix_sample_{role}", f"{role}_sha256") for role in SAMPLE_IMAGES),
    )
