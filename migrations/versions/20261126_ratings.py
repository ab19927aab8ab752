"""ratings by people

Revision: 20261126_04
Revises: 20261126_03
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_04"
down_revision = "20261126_03"
branch_labels = None
depends_on = None

#: What was said is never changed; the function is the tables' own.
_KEPT = ("rating", "rating_event")


def upgrade() -> None:
    op.create_table(
        "rater",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind = 'person' OR token_sha256 IS NULL", name=op.f("ck_rater_only_people_have_links")),
        sa.CheckConstraint("kind IN ('person', 'imported')", name=op.f("ck_rater_kind_known")),
        sa.CheckConstraint("(token_sha256 IS NULL) = (token_expires_at IS NULL)", name=op.f("ck_rater_token_expires")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rater")),
        sa.UniqueConstraint("name", name=op.f("uq_rater_name")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_rater_token_sha256")),
    )
    op.create_table(
        "rubric",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_rubric_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rubric")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_rubric_name_version")),
    )
    op.create_table(
        "criterion",
        sa.Column("rubric_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("anchors", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "name IN ('realism', 'adaptability', 'consistency', 'preservation', 'reproducibility')",
            name=op.f("ck_criterion_name_known"),
        ),
        sa.CheckConstraint("target IN ('output', 'trials')", name=op.f("ck_criterion_target_known")),
        sa.CheckConstraint("cardinality(anchors) = 5", name=op.f("ck_criterion_five_anchors")),
        sa.ForeignKeyConstraint(["rubric_id"], ["rubric.id"], name=op.f("fk_criterion_rubric_id_rubric")),
        sa.PrimaryKeyConstraint("rubric_id", "name", name=op.f("pk_criterion")),
    )
    op.create_table(
        "rating_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rater_id", sa.Uuid(), nullable=False),
        sa.Column("rubric_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("query", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("check_share", sa.Double(), nullable=False),
        sa.Column("min_dwell_s", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("check_share >= 0 AND check_share <= 1", name=op.f("ck_rating_session_share_of_checks")),
        sa.CheckConstraint("min_dwell_s >= 0 AND min_dwell_s <= 600", name=op.f("ck_rating_session_dwell_bearable")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_rating_session_rater_id_rater")),
        sa.ForeignKeyConstraint(["rubric_id"], ["rubric.id"], name=op.f("fk_rating_session_rubric_id_rubric")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_rating_session_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_session")),
    )
    op.create_index("ix_rating_session_rater", "rating_session", ["rater_id", "created_at"], unique=False)
    op.create_table(
        "rating_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("repeat_of", sa.Uuid(), nullable=True),
        sa.Column("damage_seed", sa.Integer(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("sample_id", sa.Uuid(), nullable=True),
        sa.Column("trial_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(purpose = 'damaged') = (damage_seed IS NOT NULL)", name=op.f("ck_rating_item_damaged_by_seed")
        ),
        sa.CheckConstraint(
            "(purpose = 'repeat') = (repeat_of IS NOT NULL)", name=op.f("ck_rating_item_repeat_of_something")
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'output' THEN cardinality(trial_ids) <= 1 AND (job_id IS NOT NULL OR trial_ids <> '{}')"
            " WHEN 'trials' THEN sample_id IS NOT NULL AND trial_ids <> '{}' AND job_id IS NULL"
            " ELSE sample_id IS NULL AND trial_ids = '{}' AND job_id IS NULL END",
            name=op.f("ck_rating_item_kind_has_what_it_shows"),
        ),
        sa.CheckConstraint("kind IN ('output', 'trials', 'model')", name=op.f("ck_rating_item_kind_known")),
        sa.CheckConstraint(
            "purpose IN ('real', 'repeat', 'untouched', 'damaged')", name=op.f("ck_rating_item_purpose_known")
        ),
        sa.CheckConstraint("position >= 1", name=op.f("ck_rating_item_position_positive")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_rating_item_job_id_job")),
        sa.ForeignKeyConstraint(["repeat_of"], ["rating_item.id"], name=op.f("fk_rating_item_repeat_of_rating_item")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_rating_item_run_id_run")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_rating_item_sample_id_sample")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["rating_session.id"], name=op.f("fk_rating_item_session_id_rating_session")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_item")),
        sa.UniqueConstraint("session_id", "position", name=op.f("uq_rating_item_session_id_position")),
    )
    op.create_index(
        "ix_rating_item_job", "rating_item", ["job_id"], unique=False, postgresql_where=sa.text("job_id IS NOT NULL")
    )
    op.create_index(
        "ix_rating_item_run",
        "rating_item",
        ["run_id", "model"],
        unique=False,
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
    op.create_table(
        "rating",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("supersedes", sa.Uuid(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("ui_version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("duration_s >= 0 AND duration_s < 'Infinity'", name=op.f("ck_rating_duration_finite")),
        sa.CheckConstraint("stars BETWEEN 0 AND 4", name=op.f("ck_rating_zero_to_four")),
        sa.ForeignKeyConstraint(["item_id"], ["rating_item.id"], name=op.f("fk_rating_item_id_rating_item")),
        sa.ForeignKeyConstraint(["supersedes"], ["rating.id"], name=op.f("fk_rating_supersedes_rating")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating")),
    )
    op.create_index("ix_rating_item_criterion", "rating", ["item_id", "criterion", "number"], unique=True)
    op.create_table(
        "rating_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("rating_id", sa.Uuid(), nullable=True),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'undo') = (rating_id IS NOT NULL)", name=op.f("ck_rating_event_undo_of_something")),
        sa.CheckConstraint("kind IN ('skip', 'unskip', 'flag', 'undo')", name=op.f("ck_rating_event_kind_known")),
        sa.ForeignKeyConstraint(["item_id"], ["rating_item.id"], name=op.f("fk_rating_event_item_id_rating_item")),
        sa.ForeignKeyConstraint(["rating_id"], ["rating.id"], name=op.f("fk_rating_event_rating_id_rating")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_event")),
    )
    op.create_index("ix_rating_event_item", "rating_event", ["item_id", "number"], unique=True)
    op.create_index(
        "ix_rating_event_rating",
        "rating_event",
        ["rating_id"],
        unique=True,
        postgresql_where=sa.text("rating_id IS NOT NULL"),
    )

    op.execute("""
        CREATE FUNCTION rating_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE filled boolean := true;
        BEGIN
            -- To empty what is empty, as when jobs are truncated with all that hangs on them, loses nothing.
            IF TG_OP = 'TRUNCATE' THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO filled;
            END IF;
            IF NOT filled THEN
                RETURN NULL;
            END IF;
            RAISE EXCEPTION 'Rows of % are never changed or deleted: add a new one', TG_TABLE_NAME
                  USING ERRCODE = 'restrict_violation';
        END $$""")
    for name in _KEPT:
        op.execute(f"""
            CREATE TRIGGER {name}_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}
            FOR EACH STATEMENT EXECUTE FUNCTION rating_is_kept()""")


def downgrade() -> None:
    # Indexes and triggers go with their tables.
    for name in ("rating_event", "rating", "rating_item", "rating_session", "criterion", "rubric", "rater"):
        op.drop_table(name)
    op.execute("DROP FUNCTION rating_is_kept()")
