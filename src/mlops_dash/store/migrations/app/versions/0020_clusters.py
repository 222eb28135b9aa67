"""Of a model it is said which column names the rows that belong together."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("cluster", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("model", "cluster")
