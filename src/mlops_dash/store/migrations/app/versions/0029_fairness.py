"""Of a model it is said which columns' values are groups that must fare alike."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("groups", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("model", "groups")
