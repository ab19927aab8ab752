"""Images: what jobs were given, and what attempts stored."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, BigInt, Now, UuidKey


class Image(Base):
    """An input by its content. `masked_pixels` is NULL until it is used as a mask."""

    __tablename__ = "image"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    format: Mapped[str]
    mode: Mapped[str] = mapped_column(doc="Pillow's mode of the file")
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[BigInt]
    masked_pixels: Mapped[BigInt | None]
    first_seen_at: Mapped[Now]
    last_used_at: Mapped[Now] = mapped_column(doc="When a producer last held it, to within five minutes")

    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hex"),
        CheckConstraint("width > 0 AND height > 0 AND size_bytes > 0", name="sizes_positive"),
    )


class Output(Base):
    """An image that a successful attempt stored.

    A job with several outputs has several results, numbered from 1, each of a seed of its own, and one region.

    Kind `result` is the picture; `region` the mask of what the job might change; `raw` what the model returned. The
    measures are of the result. Levels are 8-bit ones (0 to 255), whatever the depth of the picture.
    """

    __tablename__ = "output"

    id: Mapped[UuidKey]
    job_id: Mapped[UUID]
    attempt: Mapped[int]
    number: Mapped[int] = mapped_column(server_default="1", doc="Which of the outputs that were asked for, from 1")
    kind: Mapped[str] = mapped_column(server_default="result")
    uri: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[BigInt]
    seed: Mapped[BigInt | None]
    created_at: Mapped[Now]

    exact: Mapped[bool | None] = mapped_column(doc="Whether its format keeps every pixel; NULL: not a result")
    outside_changed_pixels: Mapped[BigInt | None] = mapped_column(
        doc="Pixels outside the edit region in which the decoded result differs from the decoded source"
    )
    raw_outside_mean: Mapped[float | None] = mapped_column(
        doc="Mean difference of the raw model output from its input outside the mask, levels"
    )
    raw_outside_max: Mapped[float | None] = mapped_column(doc="The largest such difference, levels")
    raw_outside_changed_share: Mapped[float | None] = mapped_column(doc="Share of those pixels that differ at all")
    inside_change_mean: Mapped[float | None] = mapped_column(doc="Mean change of the edit region, levels")
    inside_deviation: Mapped[float | None] = mapped_column(
        doc="Standard deviation of brightness in the edit region, levels; 0: blank"
    )
    seam_step: Mapped[float | None] = mapped_column(
        doc="Mean step between neighbours across the region's border, levels"
    )
    ring_step: Mapped[float | None] = mapped_column(
        doc="Mean step between neighbours just outside the border, levels: what a seam must be measured by"
    )

    __table_args__ = (
        ForeignKeyConstraint(["job_id", "attempt"], ["attempt.job_id", "attempt.number"], ondelete="CASCADE"),
        Index(None, "job_id", "attempt", "number", "kind", unique=True),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hex"),
    )
