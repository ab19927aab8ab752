"""runtime

Revision: 20261125_02
Revises: 20261125_01
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_02"
down_revision = "20261125_01"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column("environment", sa.Column("runtime", kind, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column("environment", "runtime")
