"""The input columns that a version's signature names are kept with it."""

import sqlalchemy as sa
from alembic import op

from mlops_dash.store.types import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "version_inputs",
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_version_inputs_version_id")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_version_inputs")),
    )


def downgrade() -> None:
    op.drop_table("version_inputs")
