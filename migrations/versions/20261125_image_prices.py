"""image prices: attempt_cost counts the images of an API

Revision: 20261125_03
Revises: 20261125_02
"""

revision = "20261125_03"
down_revision = "20261125_02"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing but the views, which every revision makes anew."""


def downgrade() -> None:
    """See above."""
