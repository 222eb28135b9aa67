"""What people say about proposals, with small files."""

import sqlalchemy as sa
from alembic import op

from mlops_dash.store.types import JsonText, UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal_comment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mentions", JsonText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_proposal_comment_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_comment")),
        sa.UniqueConstraint("proposal_id", "number", name=op.f("uq_proposal_comment_proposal_id_number")),
    )
    op.create_index(op.f("ix_proposal_comment_proposal_id"), "proposal_comment", ["proposal_id"])
    op.create_index(op.f("ix_proposal_comment_at"), "proposal_comment", ["at"])
    op.create_table(
        "proposal_attachment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("comment_id", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comment_id"], ["proposal_comment.id"], name=op.f("fk_proposal_attachment_comment_id")
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_proposal_attachment_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_attachment")),
    )
    op.create_index(op.f("ix_proposal_attachment_proposal_id"), "proposal_attachment", ["proposal_id"])


def downgrade() -> None:
    op.drop_table("proposal_attachment")
    op.drop_table("proposal_comment")
