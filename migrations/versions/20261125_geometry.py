"""geometry

Revision: 20261125_01
Revises: 20261122_02
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_01"
down_revision = "20261122_02"
branch_labels = None
depends_on = None

_ATTEMPT = {
    "normalised": postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
    "region_pixels": sa.BigInteger(),
    "windows": postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
    "warnings": postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
}
_OUTPUT = {
    "exact": sa.Boolean(),
    "outside_changed_pixels": sa.BigInteger(),
    "raw_outside_mean": sa.Double(),
    "raw_outside_max": sa.Double(),
    "raw_outside_changed_share": sa.Double(),
    "inside_change_mean": sa.Double(),
    "inside_deviation": sa.Double(),
    "seam_step": sa.Double(),
    "ring_step": sa.Double(),
}


def upgrade() -> None:
    # Columns with a constant default and those without one are added without rewriting the table.
    op.add_column("job", sa.Column("mask_kind", sa.Text(), server_default="object", nullable=False))
    op.add_column("job", sa.Column("mask_shapes", _ATTEMPT["windows"], nullable=True))
    op.add_column("job", sa.Column("edit", _ATTEMPT["windows"], server_default=sa.text("'{}'"), nullable=False))
    for name, kind in _ATTEMPT.items():
        op.add_column("attempt", sa.Column(name, kind, nullable=True))
    for name, kind in _OUTPUT.items():
        op.add_column("output", sa.Column(name, kind, nullable=True))
    op.drop_constraint(op.f("ck_job_has_inputs"), "job")
    op.create_check_constraint(
        op.f("ck_job_has_inputs"),
        "job",
        "(source_uri IS NOT NULL AND (mask_kind <> 'object' OR mask_uri IS NOT NULL)) OR status = 'failed'",
    )
    op.create_check_constraint(op.f("ck_job_one_mask"), "job", "mask_kind = 'object' OR mask_uri IS NULL")
    op.create_check_constraint(
        op.f("ck_job_shapes_are_shapes"), "job", "(mask_kind = 'shapes') = (mask_shapes IS NOT NULL)"
    )
    op.create_check_constraint(op.f("ck_job_mask_kind_known"), "job", "mask_kind IN ('object', 'alpha', 'shapes')")


def downgrade() -> None:
    # The schema before knows neither options nor other masks than objects. A job that has them must never run without
    # (it might repaint exactly what was to be kept): it fails, says so, and loses its inputs: no retry takes it.
    op.execute("""
        UPDATE attempt a SET status = 'lost', finished_at = now() FROM job j
         WHERE j.id = a.job_id AND a.status = 'running' AND (j.edit <> '{}' OR j.mask_kind <> 'object')""")
    op.execute("""
        UPDATE job SET status = 'failed', finished_at = coalesce(finished_at, now()), lease_until = NULL,
               worker_id = NULL, source_uri = NULL, mask_uri = NULL, error_code = 'schema_behind',
               error_message = 'The database was taken back to a version that knows no such options. Submit it again.'
         WHERE status <> 'succeeded' AND (edit <> '{}' OR mask_kind <> 'object')""")
    op.execute("DELETE FROM job WHERE mask_kind <> 'object' AND status = 'succeeded'")
    op.execute("DELETE FROM output WHERE kind <> 'result'")
    for name in ("mask_kind_known", "shapes_are_shapes", "one_mask", "has_inputs"):
        op.drop_constraint(op.f(f"ck_job_{name}"), "job")
    op.create_check_constraint(
        op.f("ck_job_has_inputs"),
        "job",
        "(source_uri IS NOT NULL AND mask_uri IS NOT NULL) OR status = 'failed'",
    )
    for table, names in (("output", _OUTPUT), ("attempt", _ATTEMPT), ("job", ("edit", "mask_shapes", "mask_kind"))):
        for name in names:
            op.drop_column(table, name)
