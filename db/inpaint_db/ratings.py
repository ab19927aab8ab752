"""Stars that people give: who rates, by which words, what is shown in which order, and what was said of it.

Nothing that was said is ever changed, nor for what it was said and by which words: triggers refuse it. A correction is
a new rating, and taking one back is an event. The rating that counts is the one of an item and a criterion that was
given last, whenever it arrived, and was not taken back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, BigInt, Now, UuidKey

#: The review's five criteria, in its order.
CRITERIA = ("realism", "adaptability", "consistency", "preservation", "reproducibility")


class Rater(Base):
    """Who rates. Views show the name, so that it may well be a made-up one."""

    __tablename__ = "rater"

    id: Mapped[UuidKey]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(doc="person: rates here; imported: stars that were given elsewhere")
    token_sha256: Mapped[str | None] = mapped_column(unique=True, doc="Of the link; the token itself is kept nowhere")
    token_expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("kind IN ('person', 'imported')", name="kind_known"),
        CheckConstraint("kind = 'person' OR token_sha256 IS NULL", name="only_people_have_links"),
        CheckConstraint("(token_sha256 IS NULL) = (token_expires_at IS NULL)", name="token_expires"),
    )


class Rubric(Base):
    """The words by which stars are given. Other words are another version, so that stars keep their meaning."""

    __tablename__ = "rubric"

    id: Mapped[UuidKey]
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[Now]

    __table_args__ = (UniqueConstraint("name", "version"), CheckConstraint("version >= 1", name="version_positive"))


class Criterion(Base):
    """One question of a rubric, with what each number of stars means."""

    __tablename__ = "criterion"

    rubric_id: Mapped[UUID] = mapped_column(ForeignKey("rubric.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    title: Mapped[str]
    question: Mapped[str]
    anchors: Mapped[list[str]] = mapped_column(ARRAY(Text), doc="What 0, 1, 2, 3 and 4 stars mean")
    target: Mapped[str] = mapped_column(doc="output: one picture; trials: all trials of a model on a sample")

    __table_args__ = (
        CheckConstraint("name IN ({})".format(", ".join(f"'{name}'" for name in CRITERIA)), name="name_known"),
        CheckConstraint("cardinality(anchors) = 5", name="five_anchors"),
        CheckConstraint("target IN ('output', 'trials')", name="target_known"),
    )


class RatingSession(Base):
    """What one rater is asked, in an order that was drawn when it was made."""

    __tablename__ = "rating_session"

    id: Mapped[UuidKey]
    name: Mapped[str]
    rater_id: Mapped[UUID] = mapped_column(ForeignKey("rater.id"))
    rubric_id: Mapped[UUID] = mapped_column(ForeignKey("rubric.id"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"))
    query: Mapped[dict[str, Any] | None] = mapped_column(doc="Which jobs, where it is not about a run")
    seed: Mapped[BigInt] = mapped_column(doc="Equal seeds over equal results draw the same order")
    check_share: Mapped[float] = mapped_column(doc="Checks per real picture, 0 to 1")
    min_dwell_s: Mapped[float] = mapped_column(doc="Seconds that an item is looked at before stars can be given")
    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("check_share >= 0 AND check_share <= 1", name="share_of_checks"),
        CheckConstraint("min_dwell_s >= 0 AND min_dwell_s <= 600", name="dwell_bearable"),
        Index("ix_rating_session_rater", "rater_id", "created_at"),
    )


class RatingItem(Base):
    """One thing to be looked at. Its id is random, so that it tells nothing of what else there is.

    Kind `output` is a picture, `trials` are all trials of a model on a sample, and `model` is a model as a whole, of
    which a publication has said something. Purpose `real` counts; the others are checks: `repeat` shows a real item
    again, `untouched` shows the source as if it were a result, `damaged` a result that was spoilt by `damage_seed`.
    """

    __tablename__ = "rating_item"

    id: Mapped[UuidKey]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("rating_session.id"))
    position: Mapped[int] = mapped_column(doc="From 1")
    kind: Mapped[str]
    purpose: Mapped[str]
    repeat_of: Mapped[UUID | None] = mapped_column(ForeignKey("rating_item.id"))
    damage_seed: Mapped[int | None]
    model: Mapped[str] = mapped_column(doc="Of a check: of the result that it was made of")
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"), doc="NULL: a job outside of benchmarks")
    sample_id: Mapped[UUID | None] = mapped_column(ForeignKey("sample.id"))
    trial_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), doc="In the order of their numbers")
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("job.id"), doc="Of an output; NULL: an imported result")
    shown_at: Mapped[datetime | None] = mapped_column(doc="When it was first asked for")
    opened_at: Mapped[datetime | None] = mapped_column(doc="Since when it is the one that its rater has before them")
    looked_s: Mapped[float] = mapped_column(server_default="0", doc="Seconds for which it was, before that")

    __table_args__ = (
        UniqueConstraint("session_id", "position"),
        CheckConstraint("position >= 1", name="position_positive"),
        CheckConstraint("kind IN ('output', 'trials', 'model')", name="kind_known"),
        CheckConstraint("purpose IN ('real', 'repeat', 'untouched', 'damaged')", name="purpose_known"),
        CheckConstraint("(purpose = 'repeat') = (repeat_of IS NOT NULL)", name="repeat_of_something"),
        CheckConstraint("(purpose = 'damaged') = (damage_seed IS NOT NULL)", name="damaged_by_seed"),
        CheckConstraint(
            "kind = 'output' OR purpose = 'real' OR (kind = 'trials' AND purpose = 'repeat')", name="checks_fit_kind"
        ),
        CheckConstraint("looked_s >= 0 AND looked_s < 'Infinity'", name="looked_finite"),
        CheckConstraint(
            "CASE kind WHEN 'output' THEN cardinality(trial_ids) <= 1 AND (job_id IS NOT NULL OR trial_ids <> '{}')"
            " WHEN 'trials' THEN sample_id IS NOT NULL AND trial_ids <> '{}' AND job_id IS NULL"
            " ELSE sample_id IS NULL AND trial_ids = '{}' AND job_id IS NULL END",
            name="kind_has_what_it_shows",
        ),
        Index("ix_rating_item_run", "run_id", "model", postgresql_where=text("run_id IS NOT NULL")),
        Index("ix_rating_item_open", "session_id", postgresql_where=text("opened_at IS NOT NULL")),
        # So that cleaning finds out quickly that a job was put before somebody.
        Index("ix_rating_item_job", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    )


class Rating(Base):
    """Stars for one criterion of one item, for ever: a trigger refuses every change."""

    __tablename__ = "rating"

    id: Mapped[UuidKey] = mapped_column(doc="Chosen by the client, so that sending it twice saves it once")
    item_id: Mapped[UUID] = mapped_column(ForeignKey("rating_item.id"))
    criterion: Mapped[str]
    stars: Mapped[int]
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), doc="Order of arrival")
    supersedes: Mapped[UUID | None] = mapped_column(ForeignKey("rating.id"), doc="The one that counted until then")
    duration_s: Mapped[float | None] = mapped_column(doc="Seconds from showing to giving; NULL: not known")
    measured_s: Mapped[float | None] = mapped_column(doc="The same until arrival, by the server's clock")
    waited_s: Mapped[float] = mapped_column(
        server_default="0", doc="Seconds from giving to arrival, while a page had no connection"
    )
    ui_version: Mapped[str] = mapped_column(doc="Which page, or which import, it came through")
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("stars BETWEEN 0 AND 4", name="zero_to_four"),
        CheckConstraint("duration_s >= 0 AND duration_s < 'Infinity'", name="duration_finite"),
        CheckConstraint("measured_s >= 0 AND measured_s < 'Infinity'", name="measured_finite"),
        CheckConstraint("waited_s >= 0 AND waited_s < 'Infinity'", name="waited_finite"),
        Index("ix_rating_item_criterion", "item_id", "criterion", "number", unique=True),
    )


class RatingEvent(Base):
    """What else a rater did with an item, for ever: skipped it (or no longer), flagged it, took a rating back."""

    __tablename__ = "rating_event"

    id: Mapped[UuidKey] = mapped_column(doc="Chosen by the client, as that of a rating")
    item_id: Mapped[UUID] = mapped_column(ForeignKey("rating_item.id"))
    kind: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    rating_id: Mapped[UUID | None] = mapped_column(ForeignKey("rating.id"), doc="What an undo takes back")
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("kind IN ('skip', 'unskip', 'flag', 'undo')", name="kind_known"),
        CheckConstraint("(kind = 'undo') = (rating_id IS NOT NULL)", name="undo_of_something"),
        Index("ix_rating_event_item", "item_id", "number", unique=True),
        Index("ix_rating_event_rating", "rating_id", unique=True, postgresql_where=text("rating_id IS NOT NULL")),
    )
