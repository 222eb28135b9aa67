"""Files of models that an admin lets run code of their own, by digest."""

import sqlalchemy as sa
from alembic import op

from mlops_dash.store.types import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trusted_files",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("trusted_by", sa.String(), nullable=False),
        sa.Column("trusted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_trusted_files")),
    )
    op.create_index(op.f("ix_trusted_files_model"), "trusted_files", ["model"])


def downgrade() -> None:
    op.drop_index(op.f("ix_trusted_files_model"), table_name="trusted_files")
    op.drop_table("trusted_files")
