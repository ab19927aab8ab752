"""datasets, benchmark runs and measures

Revision: 20261126_02
Revises: 20261126_01
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_02"
down_revision = "20261126_01"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dataset",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dataset")),
    )
    op.create_table(
        "metric",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.CheckConstraint("direction IN ('higher', 'lower', 'none')", name=op.f("ck_metric_direction_known")),
        sa.CheckConstraint("scope IN ('output', 'trials')", name=op.f("ck_metric_scope_known")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_metric")),
    )
    op.create_index("ix_metric_current", "metric", ["name"], unique=True, postgresql_where="current")
    op.create_table(
        "published",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("realism", sa.Integer(), nullable=True),
        sa.Column("adaptability", sa.Integer(), nullable=True),
        sa.Column("consistency", sa.Integer(), nullable=True),
        sa.Column("preservation", sa.Integer(), nullable=True),
        sa.Column("reproducibility", sa.Integer(), nullable=True),
        sa.Column("gpu_memory_gb", sa.Double(), nullable=True),
        sa.Column("inference_s", sa.Double(), nullable=True),
        sa.Column("cost_per_1k_usd", sa.Double(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("usd_per_hour", sa.Double(), nullable=True),
        sa.Column("pixels", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("source", "model", name=op.f("pk_published")),
    )
    op.create_table(
        "dataset_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("licence", sa.Text(), server_default="", nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["dataset.name"], name=op.f("fk_dataset_version_dataset_dataset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_version")),
        sa.UniqueConstraint("dataset", "content_sha256", name=op.f("uq_dataset_version_dataset_content_sha256")),
        sa.UniqueConstraint("dataset", "version", name=op.f("uq_dataset_version_dataset_version")),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("held", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["model.name"], name=op.f("fk_model_version_model_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_model_version_fingerprint")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dataset_version_id", sa.Uuid(), nullable=False),
        sa.Column("models", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("samples", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("seeds", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column(
            "parameters",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "edit",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("imported", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("cardinality(seeds) >= 1", name=op.f("ck_run_has_seeds")),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"], ["dataset_version.id"], name=op.f("fk_run_dataset_version_id_dataset_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("name", name=op.f("uq_run_name")),
    )
    op.create_table(
        "sample",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset_version_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), server_default="", nullable=False),
        sa.Column("negative_prompt", sa.Text(), server_default="", nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("mask_sha256", sa.Text(), nullable=False),
        sa.Column("truth_sha256", sa.Text(), nullable=True),
        sa.Column("reference_sha256", sa.Text(), nullable=True),
        sa.Column("object_mask_sha256", sa.Text(), nullable=True),
        sa.Column("effect_mask_sha256", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("licence", sa.Text(), server_default="", nullable=False),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column(
            "tags",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.CheckConstraint("coverage > 0 AND coverage < 1", name=op.f("ck_sample_coverage_share")),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"],
            ["dataset_version.id"],
            name=op.f("fk_sample_dataset_version_id_dataset_version"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["effect_mask_sha256"], ["image.sha256"], name=op.f("fk_sample_effect_mask_sha256_image")
        ),
        sa.ForeignKeyConstraint(["mask_sha256"], ["image.sha256"], name=op.f("fk_sample_mask_sha256_image")),
        sa.ForeignKeyConstraint(
            ["object_mask_sha256"], ["image.sha256"], name=op.f("fk_sample_object_mask_sha256_image")
        ),
        sa.ForeignKeyConstraint(["reference_sha256"], ["image.sha256"], name=op.f("fk_sample_reference_sha256_image")),
        sa.ForeignKeyConstraint(["source_sha256"], ["image.sha256"], name=op.f("fk_sample_source_sha256_image")),
        sa.ForeignKeyConstraint(["truth_sha256"], ["image.sha256"], name=op.f("fk_sample_truth_sha256_image")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample")),
        sa.UniqueConstraint("dataset_version_id", "name", name=op.f("uq_sample_dataset_version_id_name")),
    )
    op.create_index("ix_sample_effect_mask", "sample", ["effect_mask_sha256"], unique=False)
    op.create_index("ix_sample_mask", "sample", ["mask_sha256"], unique=False)
    op.create_index("ix_sample_object_mask", "sample", ["object_mask_sha256"], unique=False)
    op.create_index("ix_sample_reference", "sample", ["reference_sha256"], unique=False)
    op.create_index("ix_sample_source", "sample", ["source_sha256"], unique=False)
    op.create_index("ix_sample_truth", "sample", ["truth_sha256"], unique=False)
    op.create_table(
        "trial",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("sample_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("model_version_id", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_on", sa.Date(), nullable=True),
        sa.Column("output_sha256", sa.Text(), nullable=True),
        sa.Column("device_name", sa.Text(), nullable=True),
        sa.Column("inference_s", sa.Double(), nullable=True),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(imported_at IS NULL) = (output_sha256 IS NULL)", name=op.f("ck_trial_imported_has_output")
        ),
        sa.CheckConstraint("imported_at IS NULL OR job_id IS NULL", name=op.f("ck_trial_job_or_imported")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_trial_number_positive")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_trial_job_id_job")),
        sa.ForeignKeyConstraint(["model"], ["model.name"], name=op.f("fk_trial_model_model")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_trial_model_version_id_model_version")
        ),
        sa.ForeignKeyConstraint(["output_sha256"], ["image.sha256"], name=op.f("fk_trial_output_sha256_image")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_trial_run_id_run"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_trial_sample_id_sample")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial")),
        sa.UniqueConstraint("job_id", name=op.f("uq_trial_job_id")),
        sa.UniqueConstraint(
            "run_id", "model", "sample_id", "number", name=op.f("uq_trial_run_id_model_sample_id_number")
        ),
    )
    op.create_index(
        "ix_trial_output",
        "trial",
        ["output_sha256"],
        unique=False,
        postgresql_where=sa.text("output_sha256 IS NOT NULL"),
    )
    op.create_index("ix_trial_sample", "trial", ["sample_id"], unique=False)
    op.create_table(
        "measure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("sample_id", sa.Uuid(), nullable=False),
        sa.Column("trial_id", sa.Uuid(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("value NOT IN ('NaN', 'Infinity', '-Infinity')", name=op.f("ck_measure_finite")),
        sa.CheckConstraint("(value IS NULL) <> (reason IS NULL)", name=op.f("ck_measure_value_or_reason")),
        sa.ForeignKeyConstraint(
            ["metric", "version"], ["metric.name", "metric.version"], name=op.f("fk_measure_metric_version_metric")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_measure_run_id_run"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_measure_sample_id_sample")),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_measure_trial_id_trial"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure")),
    )
    op.create_index(
        "ix_measure_metric",
        "measure",
        ["metric", "version", "run_id", "model"],
        unique=False,
        postgresql_include=["sample_id", "value"],
    )
    op.create_index("ix_measure_trial", "measure", ["trial_id"], unique=False)
    op.create_index(
        "ix_measure_key",
        "measure",
        ["run_id", "model", "sample_id", "trial_id", "metric", "version"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )


def downgrade() -> None:
    # Jobs of trials stay, as jobs of their campaign; indexes go with their tables.
    for name in (
        "measure", "trial", "run", "sample", "model_version", "dataset_version", "dataset", "metric", "published",
    ):  # fmt: skip
        op.drop_table(name)
