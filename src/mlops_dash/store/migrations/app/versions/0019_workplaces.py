"""A recipe may work in a venv of its requirements, and in a checkout of a repository."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NEW = ("requirements", "repository", "commit")


def upgrade() -> None:
    for name in _NEW:
        op.add_column("recipe", sa.Column(name, sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in reversed(_NEW):
        op.drop_column("recipe", name)
