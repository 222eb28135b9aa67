"""what hours have of the groups of rows that belong together."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile_group",
        sa.Column("reference_id", sa.String(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("computed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", "hour_us", "batch", "number", name=op.f("pk_profile_group")),
    )


def downgrade() -> None:
    op.drop_table("profile_group")
