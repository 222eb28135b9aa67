"""The database itself refuses to change or delete an entry of the ledger, or to put one in place of another.

Whoever may change the database's rules can take these away again; `audit verify` finds what they then do.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SAID = "the ledger is append-only"
REFUSE = f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
SAME = "EXISTS (SELECT 1 FROM ledger WHERE number = NEW.number)"
SQLITE = (
    f"CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger {REFUSE}",
    f"CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger {REFUSE}",
    f"CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger WHEN {SAME} {REFUSE}",
)
RUN = "EXECUTE FUNCTION app.ledger_refuse()"
RAISE = f"$$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
POSTGRES = (
    f"CREATE FUNCTION app.ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS {RAISE}",
    f"CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON app.ledger FOR EACH ROW {RUN}",
    f"CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON app.ledger FOR EACH STATEMENT {RUN}",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("ledger_no_update", "ledger_no_delete", "ledger_no_replace"):
            op.execute(f"DROP TRIGGER {name}")
        return
    op.execute("DROP TRIGGER ledger_no_change ON app.ledger")
    op.execute("DROP TRIGGER ledger_no_truncate ON app.ledger")
    op.execute("DROP FUNCTION app.ledger_refuse()")
