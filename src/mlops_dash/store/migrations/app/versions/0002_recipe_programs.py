"""A recipe names its program: those of the flights named a family of models that the runner knew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FAMILY, _PROGRAM = "flights", "mlops_dash.demo.flights.train:train"


def upgrade() -> None:
    _rename(_FAMILY, _PROGRAM)


def downgrade() -> None:
    _rename(_PROGRAM, _FAMILY)


def _rename(before: str, after: str) -> None:
    recipe = sa.table("recipe", sa.column("entry", sa.String()))
    op.execute(recipe.update().where(recipe.c.entry == before).values(entry=after))
