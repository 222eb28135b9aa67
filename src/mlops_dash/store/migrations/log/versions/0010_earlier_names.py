"""which models have rows whose ids do not begin with their time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earlier_names",
        sa.Column("model", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_earlier_names")),
    )
    op.execute(
        "INSERT INTO earlier_names (model) "
        "SELECT DISTINCT model FROM prediction UNION SELECT DISTINCT model FROM manifest"
    )


def downgrade() -> None:
    op.drop_table("earlier_names")
