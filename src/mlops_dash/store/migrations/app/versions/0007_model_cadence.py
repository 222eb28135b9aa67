"""How often a model is judged is said of the model: by the day, the week or the month."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("cadence", sa.String(), nullable=False, server_default="day"))


def downgrade() -> None:
    op.drop_column("model", "cadence")
