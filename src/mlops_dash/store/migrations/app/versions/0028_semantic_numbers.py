"""Semantic numbers of versions, kept when one becomes champion or somebody sets it."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "version_number",
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("against", sa.String(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_version_number_version_id")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_version_number")),
    )


def downgrade() -> None:
    op.drop_table("version_number")
