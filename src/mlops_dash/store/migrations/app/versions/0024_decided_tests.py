"""what was decided on A/B tests, and learned."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ab_test", sa.Column("decision", sa.Text(), nullable=True))
    op.add_column("ab_test", sa.Column("learned", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("ab_test", "learned")
    op.drop_column("ab_test", "decision")
