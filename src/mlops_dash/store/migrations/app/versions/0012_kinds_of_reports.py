"""Reports of other kinds than a week of a model: a subject of its own, and none of a single model."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.String(), nullable=False, server_default=""))
        batch_op.alter_column("model", existing_type=sa.String(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM report WHERE model IS NULL")
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.alter_column("model", existing_type=sa.String(), nullable=False)
        batch_op.drop_column("subject")
