"""what happened to units of A/B tests."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "event_id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_model_name_at", "event", ["model", "name", "at_us"])
    op.create_index("ix_event_model_unit", "event", ["model", "unit"])


def downgrade() -> None:
    op.drop_table("event")
