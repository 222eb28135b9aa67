"""initial."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dirty_hour",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("marked_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "hour_us", name=op.f("pk_dirty_hour")),
    )
    op.create_table(
        "label",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("observed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "prediction_id", "revision", name=op.f("pk_label")),
    )
    op.create_index("ix_label_model_received", "label", ["model", "received_at_us"], unique=False)
    op.create_table(
        "manifest",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("min_at_us", sa.BigInteger(), nullable=False),
        sa.Column("max_at_us", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_manifest")),
    )
    op.create_index(op.f("ix_manifest_model"), "manifest", ["model"], unique=False)
    op.create_table(
        "prediction",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("entity_key", sa.String(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "prediction_id", name=op.f("pk_prediction")),
    )
    op.create_index(op.f("ix_prediction_batch_id"), "prediction", ["batch_id"], unique=False)
    op.create_index("ix_prediction_model_at", "prediction", ["model", "at_us"], unique=False)
    op.create_table(
        "profile_day",
        sa.Column("reference_id", sa.String(), nullable=False),
        sa.Column("day_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("n_labelled", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("computed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", "day_us", name=op.f("pk_profile_day")),
    )
    op.create_table(
        "profile_hour",
        sa.Column("reference_id", sa.String(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("n_labelled", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("computed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", "hour_us", name=op.f("pk_profile_hour")),
    )
    op.create_table(
        "score",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("scored_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "prediction_id", "version_id", "role", name=op.f("pk_score")),
    )
    op.create_index("ix_score_version_at", "score", ["version_id", "at_us"], unique=False)
    op.create_table(
        "serving_heartbeat",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process", "model", name=op.f("pk_serving_heartbeat")),
    )


def downgrade() -> None:
    op.drop_table("serving_heartbeat")
    op.drop_index("ix_score_version_at", table_name="score")
    op.drop_table("score")
    op.drop_table("profile_hour")
    op.drop_table("profile_day")
    op.drop_index("ix_prediction_model_at", table_name="prediction")
    op.drop_index(op.f("ix_prediction_batch_id"), table_name="prediction")
    op.drop_table("prediction")
    op.drop_index(op.f("ix_manifest_model"), table_name="manifest")
    op.drop_table("manifest")
    op.drop_index("ix_label_model_received", table_name="label")
    op.drop_table("label")
    op.drop_table("dirty_hour")
