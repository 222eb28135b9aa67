"""A program's account may write what its own models answered: which ones is a list of their names."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_account", sa.Column("models", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("user_account", "models")
