"""Of a sent or shared report it is said for whom it is written."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
_TABLES = ("report_delivery", "report_share")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("level", sa.String(), nullable=False, server_default="technical"))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "level")
