"""the manifest of cold files by model, day and table; nothing wrote the one before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _us(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def upgrade() -> None:
    op.drop_index(op.f("ix_manifest_model"), table_name="manifest")
    op.drop_table("manifest")
    op.create_table(
        "manifest",
        sa.Column("model", sa.String(), nullable=False),
        _us("day_us"),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("ids", sa.Integer(), nullable=False),
        _us("min_at_us"),
        _us("max_at_us"),
        _us("size"),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("column_names", sa.Text(), nullable=False),
        _us("created_at_us"),
        sa.PrimaryKeyConstraint("model", "day_us", "kind", name=op.f("pk_manifest")),
        sa.UniqueConstraint("path", name=op.f("uq_manifest_path")),
    )
    op.create_table(
        "archived_answers",
        sa.Column("version_id", sa.String(), nullable=False),
        _us("day_us"),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("labelled", sa.Integer(), nullable=False),
        _us("first_us"),
        _us("last_us"),
        sa.PrimaryKeyConstraint("version_id", "day_us", "role", name=op.f("pk_archived_answers")),
    )
    op.create_index(op.f("ix_archived_answers_model"), "archived_answers", ["model"])
    op.create_table(
        "label_waiting",
        sa.Column("model", sa.String(), nullable=False),
        _us("marked_us"),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_label_waiting")),
    )


def downgrade() -> None:
    op.drop_table("label_waiting")
    op.drop_index(op.f("ix_archived_answers_model"), table_name="archived_answers")
    op.drop_table("archived_answers")
    op.drop_table("manifest")
    op.create_table(
        "manifest",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        _us("min_at_us"),
        _us("max_at_us"),
        sa.Column("sha256", sa.String(), nullable=False),
        _us("created_at_us"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_manifest")),
    )
    op.create_index(op.f("ix_manifest_model"), "manifest", ["model"])
