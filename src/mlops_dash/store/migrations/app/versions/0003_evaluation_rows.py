"""Evaluation rows that somebody pushed: what two versions answered on the same ids can be compared later."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evaluation_rows",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pushed_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_evaluation_rows_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_rows")),
    )
    op.create_index(op.f("ix_evaluation_rows_version_id"), "evaluation_rows", ["version_id"], unique=False)


def downgrade() -> None:
    op.drop_table("evaluation_rows")
