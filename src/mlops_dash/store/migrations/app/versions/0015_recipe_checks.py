"""A recipe carries checks of the versions that it makes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recipe", sa.Column("checks", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("recipe", "checks")
