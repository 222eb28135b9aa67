"""Of a model it is said which columns' values are parts that are watched by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("slices", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("model", "slices")
