"""A proposal may carry stages, and its roll-out is kept step by step."""

import sqlalchemy as sa
from alembic import op

from mlops_dash.store.types import JsonText, UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('running', 'paused', 'finishing')")


def upgrade() -> None:
    op.add_column("proposal", sa.Column("stages", JsonText(), nullable=True))
    op.create_table(
        "rollout",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("from_version_id", sa.String(), nullable=False),
        sa.Column("to_version_id", sa.String(), nullable=False),
        sa.Column("stages", JsonText(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("stage_at", UtcDateTime(), nullable=False),
        sa.Column("running_since", UtcDateTime(), nullable=False),
        sa.Column("waited_seconds", sa.Float(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.Column("guards", JsonText(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("judged_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_rollout_proposal_id")),
        sa.ForeignKeyConstraint(["from_version_id"], ["model_version.id"], name=op.f("fk_rollout_from_version_id")),
        sa.ForeignKeyConstraint(["to_version_id"], ["model_version.id"], name=op.f("fk_rollout_to_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_rollout_proposal_id")),
    )
    op.create_index(op.f("ix_rollout_model"), "rollout", ["model"])
    op.create_index("uq_rollout_one_open", "rollout", ["model"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_table("rollout")
    op.drop_column("proposal", "stages")
