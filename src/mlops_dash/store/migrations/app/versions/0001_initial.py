"""initial."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence_ids", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(op.f("ix_alert_model"), "alert", ["model"], unique=False)
    op.create_index(op.f("ix_alert_opened_at"), "alert", ["opened_at"], unique=False)
    op.create_index(op.f("ix_alert_state"), "alert", ["state"], unique=False)
    op.create_index(
        "uq_alert_one_open",
        "alert",
        ["model", "version", "kind"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("comparator", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_computed_at"), "evidence", ["computed_at"], unique=False)
    op.create_index(op.f("ix_evidence_kind"), "evidence", ["kind"], unique=False)
    op.create_index(op.f("ix_evidence_subject"), "evidence", ["subject"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=True),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.String(), nullable=True),
        sa.Column("alert_id", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("exclusive_key", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("progress_text", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("log_path", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("uq_job_schedule_id_due_at")),
    )
    op.create_index(op.f("ix_job_alert_id"), "job", ["alert_id"], unique=False)
    op.create_index("ix_job_claim", "job", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_job_due_at"), "job", ["due_at"], unique=False)
    op.create_index(op.f("ix_job_model"), "job", ["model"], unique=False)
    op.create_index(op.f("ix_job_state"), "job", ["state"], unique=False)
    op.create_index(op.f("ix_job_task"), "job", ["task"], unique=False)
    op.create_index(
        "uq_job_one_running_per_key",
        "job",
        ["exclusive_key"],
        unique=True,
        sqlite_where=sa.text("state = 'running' AND exclusive_key <> ''"),
        postgresql_where=sa.text("state = 'running' AND exclusive_key <> ''"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at_wall", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence_ids", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("mac", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_action"), "ledger", ["action"], unique=False)
    op.create_index(op.f("ix_ledger_actor"), "ledger", ["actor"], unique=False)
    op.create_index(op.f("ix_ledger_at"), "ledger", ["at"], unique=False)
    op.create_index(op.f("ix_ledger_model"), "ledger", ["model"], unique=False)
    op.create_index(op.f("ix_ledger_object"), "ledger", ["object"], unique=False)
    op.create_table(
        "login_attempt",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until_wall", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_login_attempt")),
    )
    op.create_table(
        "model",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("positive_label", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("do_not_log", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
    )
    op.create_table(
        "policy_version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("approver", sa.String(), nullable=True),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
        sa.UniqueConstraint("model", "kind", "number", name=op.f("uq_policy_version_model_kind_number")),
    )
    op.create_index(op.f("ix_policy_version_model"), "policy_version", ["model"], unique=False)
    op.create_table(
        "reading",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("window_kind", sa.String(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("n_labelled", sa.Integer(), nullable=False),
        sa.Column("ripe", sa.Boolean(), nullable=False),
        sa.Column("drift", sa.String(), nullable=False),
        sa.Column("health", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
        sa.UniqueConstraint(
            "version_id", "window_kind", "window_start", name=op.f("uq_reading_version_id_window_kind_window_start")
        ),
    )
    op.create_index("ix_reading_model_window", "reading", ["model", "window_start"], unique=False)
    op.create_table(
        "recipe",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recipe")),
    )
    op.create_index(op.f("ix_recipe_model"), "recipe", ["model"], unique=False)
    op.create_table(
        "run_note",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("runs_key", sa.String(), nullable=False),
        sa.Column("run_ids", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_note")),
    )
    op.create_index(op.f("ix_run_note_runs_key"), "run_note", ["runs_key"], unique=False)
    op.create_table(
        "run_view",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_view")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_run_view_owner_name")),
    )
    op.create_index(op.f("ix_run_view_owner"), "run_view", ["owner"], unique=False)
    op.create_table(
        "schedule",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("misfire", sa.String(), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("upcoming", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("name", name=op.f("uq_schedule_name")),
    )
    op.create_index(op.f("ix_schedule_next_due_at"), "schedule", ["next_due_at"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at_wall", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at_wall", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at_wall", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_user_id"), "session", ["user_id"], unique=False)
    op.create_table(
        "user_account",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("name", name=op.f("uq_user_account_name")),
    )
    op.create_table(
        "world",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_world")),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("artifact_digest", sa.String(), nullable=False),
        sa.Column("source_uri", sa.String(), nullable=False),
        sa.Column("training_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("training_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data_digest", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["model.name"], name=op.f("fk_model_version_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("model", "version", "incarnation", name=op.f("uq_model_version_model_version_incarnation")),
    )
    op.create_index(op.f("ix_model_version_model"), "model_version", ["model"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["model.name"], name=op.f("fk_report_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("kind", "model", "sha256", name=op.f("uq_report_kind_model_sha256")),
    )
    op.create_index(op.f("ix_report_model"), "report", ["model"], unique=False)
    op.create_index(op.f("ix_report_sha256"), "report", ["sha256"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_token_secret_sha256")),
    )
    op.create_index(op.f("ix_token_user_id"), "token", ["user_id"], unique=False)
    op.create_table(
        "ab_test",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("challenger_id", sa.String(), nullable=False),
        sa.Column("design", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("designed_by", sa.String(), nullable=False),
        sa.Column("designed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("evidence_ids", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["challenger_id"], ["model_version.id"], name=op.f("fk_ab_test_challenger_id")),
        sa.ForeignKeyConstraint(["control_id"], ["model_version.id"], name=op.f("fk_ab_test_control_id")),
        sa.ForeignKeyConstraint(["model"], ["model.name"], name=op.f("fk_ab_test_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ab_test")),
    )
    op.create_index(op.f("ix_ab_test_model"), "ab_test", ["model"], unique=False)
    op.create_index(
        "uq_ab_test_one_running_per_model",
        "ab_test",
        ["model"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "operation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("from_version_id", sa.String(), nullable=True),
        sa.Column("to_version_id", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alias_moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("shadow_version_ids", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["to_version_id"], ["model_version.id"], name=op.f("fk_operation_to_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_operation_proposal_id")),
    )
    op.create_index(op.f("ix_operation_decided_at"), "operation", ["decided_at"], unique=False)
    op.create_index(op.f("ix_operation_model"), "operation", ["model"], unique=False)
    op.create_index(op.f("ix_operation_state"), "operation", ["state"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("champion_version_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("proposer", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.String(), nullable=False),
        sa.Column("gates", sa.Text(), nullable=False),
        sa.Column("evidence_ids", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_proposal_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index(op.f("ix_proposal_model"), "proposal", ["model"], unique=False)
    op.create_index(op.f("ix_proposal_state"), "proposal", ["state"], unique=False)
    op.create_index(
        "uq_proposal_one_promoting",
        "proposal",
        ["model"],
        unique=True,
        sqlite_where=sa.text("state = 'promoting'"),
        postgresql_where=sa.text("state = 'promoting'"),
    )
    op.create_table(
        "reference",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_reference_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
    )
    op.create_index(op.f("ix_reference_model"), "reference", ["model"], unique=False)
    op.create_index(op.f("ix_reference_version_id"), "reference", ["version_id"], unique=False)
    op.create_table(
        "serving",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("shadow_version_ids", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("operation_id", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_version.id"], name=op.f("fk_serving_version_id")),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_serving")),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("proposal_id", sa.String(), nullable=False),
        sa.Column("approver", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_approval_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sa.UniqueConstraint(
            "proposal_id", "approver", "kind", "gate", name=op.f("uq_approval_proposal_id_approver_kind_gate")
        ),
    )
    op.create_index(op.f("ix_approval_proposal_id"), "approval", ["proposal_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_approval_proposal_id"), table_name="approval")
    op.drop_table("approval")
    op.drop_table("serving")
    op.drop_index(op.f("ix_reference_version_id"), table_name="reference")
    op.drop_index(op.f("ix_reference_model"), table_name="reference")
    op.drop_table("reference")
    op.drop_index(
        "uq_proposal_one_promoting",
        table_name="proposal",
        sqlite_where=sa.text("state = 'promoting'"),
        postgresql_where=sa.text("state = 'promoting'"),
    )
    op.drop_index(op.f("ix_proposal_state"), table_name="proposal")
    op.drop_index(op.f("ix_proposal_model"), table_name="proposal")
    op.drop_table("proposal")
    op.drop_index(op.f("ix_operation_state"), table_name="operation")
    op.drop_index(op.f("ix_operation_model"), table_name="operation")
    op.drop_index(op.f("ix_operation_decided_at"), table_name="operation")
    op.drop_table("operation")
    op.drop_index(
        "uq_ab_test_one_running_per_model",
        table_name="ab_test",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index(op.f("ix_ab_test_model"), table_name="ab_test")
    op.drop_table("ab_test")
    op.drop_index(op.f("ix_token_user_id"), table_name="token")
    op.drop_table("token")
    op.drop_index(op.f("ix_report_sha256"), table_name="report")
    op.drop_index(op.f("ix_report_model"), table_name="report")
    op.drop_table("report")
    op.drop_index(op.f("ix_model_version_model"), table_name="model_version")
    op.drop_table("model_version")
    op.drop_table("world")
    op.drop_table("user_account")
    op.drop_index(op.f("ix_session_user_id"), table_name="session")
    op.drop_table("session")
    op.drop_index(op.f("ix_schedule_next_due_at"), table_name="schedule")
    op.drop_table("schedule")
    op.drop_index(op.f("ix_run_view_owner"), table_name="run_view")
    op.drop_table("run_view")
    op.drop_index(op.f("ix_run_note_runs_key"), table_name="run_note")
    op.drop_table("run_note")
    op.drop_index(op.f("ix_recipe_model"), table_name="recipe")
    op.drop_table("recipe")
    op.drop_index("ix_reading_model_window", table_name="reading")
    op.drop_table("reading")
    op.drop_index(op.f("ix_policy_version_model"), table_name="policy_version")
    op.drop_table("policy_version")
    op.drop_table("outbox")
    op.drop_table("model")
    op.drop_table("login_attempt")
    op.drop_index(op.f("ix_ledger_object"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_model"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_at"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_actor"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_action"), table_name="ledger")
    op.drop_table("ledger")
    op.drop_table("lease")
    op.drop_index(
        "uq_job_one_running_per_key",
        table_name="job",
        sqlite_where=sa.text("state = 'running' AND exclusive_key <> ''"),
        postgresql_where=sa.text("state = 'running' AND exclusive_key <> ''"),
    )
    op.drop_index(op.f("ix_job_task"), table_name="job")
    op.drop_index(op.f("ix_job_state"), table_name="job")
    op.drop_index(op.f("ix_job_model"), table_name="job")
    op.drop_index(op.f("ix_job_due_at"), table_name="job")
    op.drop_index("ix_job_claim", table_name="job")
    op.drop_index(op.f("ix_job_alert_id"), table_name="job")
    op.drop_table("job")
    op.drop_index(op.f("ix_evidence_subject"), table_name="evidence")
    op.drop_index(op.f("ix_evidence_kind"), table_name="evidence")
    op.drop_index(op.f("ix_evidence_computed_at"), table_name="evidence")
    op.drop_table("evidence")
    op.drop_index(
        "uq_alert_one_open",
        table_name="alert",
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_index(op.f("ix_alert_state"), table_name="alert")
    op.drop_index(op.f("ix_alert_opened_at"), table_name="alert")
    op.drop_index(op.f("ix_alert_model"), table_name="alert")
    op.drop_table("alert")
