"""Deputies: who approves in whose name, from when until when; and in whose name an approval was given."""

import sqlalchemy as sa
from alembic import op

from mlops_dash.store.types import UtcDateTime

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deputy",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("deputy", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["user_account.id"], name=op.f("fk_deputy_principal")),
        sa.ForeignKeyConstraint(["deputy"], ["user_account.id"], name=op.f("fk_deputy_deputy")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deputy")),
    )
    op.create_index(op.f("ix_deputy_principal"), "deputy", ["principal"])
    op.create_index(op.f("ix_deputy_until"), "deputy", ["until"])
    op.add_column("approval", sa.Column("in_name_of", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("approval", "in_name_of")
    op.drop_table("deputy")
