"""how long an item was really looked at, when stars were given, and a key for operators' cookies

Revision: 20261126_06
Revises: 20261126_05
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_06"
down_revision = "20261126_05"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rating_item", sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rating_item", sa.Column("looked_s", sa.Double(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_rating_item_looked_finite"), "rating_item", "looked_s >= 0 AND looked_s < 'Infinity'"
    )
    op.create_index(
        "ix_rating_item_open",
        "rating_item",
        ["session_id"],
        unique=False,
        postgresql_where=sa.text("opened_at IS NOT NULL"),
    )
    op.add_column("rating", sa.Column("measured_s", sa.Double(), nullable=True))
    # A constant default: rows of this table are never changed, not even by a migration.
    op.add_column("rating", sa.Column("waited_s", sa.Double(), server_default="0", nullable=False))
    for name in ("measured", "waited"):
        op.create_check_constraint(
            op.f(f"ck_rating_{name}_finite"), "rating", f"{name}_s >= 0 AND {name}_s < 'Infinity'"
        )
    op.create_table(
        "web_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_web_key_only_one")),
        sa.CheckConstraint("octet_length(secret) >= 32", name=op.f("ck_web_key_long_enough")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_key")),
    )


def downgrade() -> None:
    # Operators enter their password again. Of the seconds, those that pages have measured are left.
    op.drop_table("web_key")
    for name in ("waited", "measured"):
        op.drop_constraint(op.f(f"ck_rating_{name}_finite"), "rating")
        op.drop_column("rating", f"{name}_s")
    op.drop_index("ix_rating_item_open", "rating_item")
    op.drop_constraint(op.f("ck_rating_item_looked_finite"), "rating_item")
    op.drop_column("rating_item", "looked_s")
    op.drop_column("rating_item", "opened_at")
