"""What gateways counted of staged roll-outs."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollout_pulse",
        sa.Column("rollout_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("new_times", sa.Text(), nullable=False),
        sa.Column("old_times", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "source", name=op.f("pk_rollout_pulse")),
    )


def downgrade() -> None:
    op.drop_table("rollout_pulse")
