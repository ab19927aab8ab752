"""retention

Revision: 20261122_02
Revises: 20261122_01
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_02"
down_revision = "20261122_01"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows that are there count as used now: nothing is taken for long unused because nobody noted when it was.
    op.add_column(
        "image", sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("image", "last_used_at")
