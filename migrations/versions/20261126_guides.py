"""reference and control images, several outputs

Revision: 20261126_01
Revises: 20261125_03
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_01"
down_revision = "20261125_03"
branch_labels = None
depends_on = None

_JOB = {
    "reference_uri": sa.Text(),
    "reference_sha256": sa.Text(),
    "reference_strength": sa.Double(),
    "control_uri": sa.Text(),
    "control_sha256": sa.Text(),
    "control_type": sa.Text(),
    "control_strength": sa.Double(),
}
_CHECKS = {
    "outputs_positive": "outputs >= 1",
    "control_has_type": "(control_uri IS NULL) = (control_type IS NULL)",
    "strength_of_reference": "reference_uri IS NOT NULL OR reference_strength IS NULL",
    "strength_of_control": "control_uri IS NOT NULL OR control_strength IS NULL",
}


def upgrade() -> None:
    op.add_column("job", sa.Column("outputs", sa.Integer(), server_default="1", nullable=False))
    for name, kind in _JOB.items():
        op.add_column("job", sa.Column(name, kind, nullable=True))
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_job_{name}"), "job", condition)
    for role in ("reference", "control"):
        column = f"{role}_sha256"
        op.create_foreign_key(op.f(f"fk_job_{column}_image"), "job", "image", [column], ["sha256"])
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_job_{role}", "job", [column], postgresql_where=where)
    op.add_column("output", sa.Column("number", sa.Integer(), server_default="1", nullable=False))
    op.drop_index("ix_output_job_id_attempt_kind", "output")
    op.create_index(
        "ix_output_job_id_attempt_number_kind", "output", ["job_id", "attempt", "number", "kind"], unique=True
    )


def downgrade() -> None:
    # A job that has not run must not run without what guided it: it fails, says so, and loses its inputs.
    op.execute("""
        UPDATE attempt a SET status = 'lost', finished_at = now() FROM job j
         WHERE j.id = a.job_id AND a.status = 'running'
           AND (j.outputs > 1 OR j.reference_uri IS NOT NULL OR j.control_uri IS NOT NULL)""")
    op.execute("""
        UPDATE job SET status = 'failed', finished_at = coalesce(finished_at, now()), lease_until = NULL,
               worker_id = NULL, source_uri = NULL, mask_uri = NULL, error_code = 'schema_behind',
               error_message = 'The database was taken back to a version that knows no such options. Submit it again.'
         WHERE status <> 'succeeded' AND (outputs > 1 OR reference_uri IS NOT NULL OR control_uri IS NOT NULL)""")
    op.execute("DELETE FROM output WHERE number > 1")
    op.drop_index("ix_output_job_id_attempt_number_kind", "output")
    op.create_index("ix_output_job_id_attempt_kind", "output", ["job_id", "attempt", "kind"], unique=True)
    op.drop_column("output", "number")
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_job_{name}"), "job")
    for name in (*_JOB, "outputs"):
        op.drop_column("job", name)
