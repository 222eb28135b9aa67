"""A model that answers with one of several classes has their names, in an order that the log counts by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("class_names", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("model", "class_names")
