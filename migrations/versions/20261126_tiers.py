"""what jobs may give up for speed, and what attempts gave up

Revision: 20261126_05
Revises: 20261126_04
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_05"
down_revision = "20261126_04"
branch_labels = None
depends_on = None

_KNOWN = "tier IN ('exact', 'fast', 'turbo')"


def upgrade() -> None:
    op.add_column("job", sa.Column("tier", sa.Text(), nullable=True))
    # The default stays: what an older worker runs is exact.
    op.add_column("attempt", sa.Column("tier", sa.Text(), server_default="exact", nullable=False))
    op.add_column("run", sa.Column("tier", sa.Text(), server_default="exact", nullable=False))
    # Only after a way down: what was made with work left out is never taken for exact.
    op.execute("""
        UPDATE attempt SET tier = parameters->>'tier'
         WHERE parameters ? 'tier' AND parameters->>'tier' IN ('fast', 'turbo')""")
    op.execute("""
        UPDATE run r SET tier = a.tier
          FROM trial t JOIN attempt a ON a.job_id = t.job_id
         WHERE t.run_id = r.id AND a.tier <> 'exact'""")
    # Imported results have no attempts: of their runs, what the way down added to the note alone knows.
    op.execute(r"""
        UPDATE run SET tier = substring(note FROM '\(tier (fast|turbo)\)$'),
                       note = btrim(regexp_replace(note, '\(tier (fast|turbo)\)$', ''))
         WHERE note ~ '\(tier (fast|turbo)\)$'""")
    for table in ("job", "attempt", "run"):
        op.create_check_constraint(op.f(f"ck_{table}_tier_known"), table, _KNOWN)


def downgrade() -> None:
    # Jobs that wait run in full: that takes longer, and leaves nothing out. Of what ran, the parameters keep the tier.
    op.execute("""
        UPDATE attempt SET parameters = coalesce(parameters, '{}') || jsonb_build_object('tier', tier)
         WHERE tier <> 'exact'""")
    op.execute("""
        UPDATE run SET note = concat_ws(' ', nullif(note, ''), '(tier ' || tier || ')') WHERE tier <> 'exact'""")
    for table in ("run", "attempt", "job"):
        op.drop_constraint(op.f(f"ck_{table}_tier_known"), table)
        op.drop_column(table, "tier")
