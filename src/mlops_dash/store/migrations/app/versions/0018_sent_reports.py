"""Reports on their way to recipients, and who does not want them any more."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_delivery",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("formats", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_report_delivery_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_delivery")),
        sa.UniqueConstraint("batch_id", "recipient", name=op.f("uq_report_delivery_batch_id_recipient")),
    )
    op.create_index("ix_report_delivery_state_not_before", "report_delivery", ["state", "not_before"], unique=False)
    op.create_index("ix_report_delivery_created_at", "report_delivery", ["created_at"], unique=False)
    op.create_index("ix_report_delivery_plan_id", "report_delivery", ["plan_id"], unique=False)
    op.create_table(
        "report_opt_out",
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "recipient", name=op.f("pk_report_opt_out")),
    )


def downgrade() -> None:
    op.drop_table("report_opt_out")
    op.drop_table("report_delivery")
