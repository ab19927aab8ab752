"""the schema bench, with views for analysts

Revision: 20261126_03
Revises: 20261126_02
"""

revision = "20261126_03"
down_revision = "20261126_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Views are made anew with each revision; what they look up is made here."""


def downgrade() -> None:
    """Nothing to take back."""
