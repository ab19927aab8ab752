"""the schema bench, with views for analysts, and the indexes that they look measures up by

Views are made anew with each revision.

Revision: 20261126_03
Revises: 20261126_02
"""

from alembic import op

revision = "20261126_03"
down_revision = "20261126_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_measure_trial", table_name="measure")
    op.drop_index("ix_measure_metric", table_name="measure")
    op.create_index(
        "ix_measure_trial",
        "measure",
        ["trial_id", "metric", "version"],
        unique=True,
        postgresql_include=["value"],
    )
    op.create_index(
        "ix_measure_metric",
        "measure",
        ["metric", "version", "run_id", "model", "sample_id"],
        unique=False,
        postgresql_include=["trial_id", "value"],
    )


def downgrade() -> None:
    op.drop_index("ix_measure_trial", table_name="measure")
    op.drop_index("ix_measure_metric", table_name="measure")
    op.create_index("ix_measure_trial", "measure", ["trial_id"], unique=False)
    op.create_index(
        "ix_measure_metric",
        "measure",
        ["metric", "version", "run_id", "model"],
        unique=False,
        postgresql_include=["sample_id", "value"],
    )
