"""Which mark in MLflow says that a version is live is said of the model: an alias, a stage, a tag, or none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("live", sa.String(), nullable=False, server_default="alias:champion"))


def downgrade() -> None:
    op.drop_column("model", "live")
