"""The newest runs of many schedules are read at once: an index finds them however many there were."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_job_of_schedule", "job", ["schedule_id", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_job_of_schedule", "job")
