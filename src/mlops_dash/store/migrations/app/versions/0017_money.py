"""What an hour of a recipe costs, its budget a month, and what of both a job keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recipe", sa.Column("price_per_hour", sa.Float(), nullable=True))
    op.add_column("recipe", sa.Column("money_a_month", sa.Float(), nullable=True))
    op.add_column("job", sa.Column("price_per_hour", sa.Float(), nullable=True))
    op.add_column("job", sa.Column("spent_seconds", sa.Float(), nullable=False, server_default="0"))
    op.create_index("ix_job_of_recipe", "job", ["recipe", "started_at"])


def downgrade() -> None:
    op.drop_index("ix_job_of_recipe", table_name="job")
    op.drop_column("job", "spent_seconds")
    op.drop_column("job", "price_per_hour")
    op.drop_column("recipe", "money_a_month")
    op.drop_column("recipe", "price_per_hour")
