"""how many events there are of each name, kept by the database as they come and go."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# SQLite counts each row, Postgres those of a statement: a line a name, in order, so that of two writers only one waits.
COUNT_ONE = """
CREATE TRIGGER event_counted AFTER INSERT ON event BEGIN
  INSERT INTO event_count (model, name, n) VALUES (NEW.model, NEW.name, 1)
  ON CONFLICT (model, name) DO UPDATE SET n = n + 1;
END"""
UNCOUNT_ONE = """
CREATE TRIGGER event_uncounted AFTER DELETE ON event BEGIN
  UPDATE event_count SET n = n - 1 WHERE model = OLD.model AND name = OLD.name;
END"""
COUNTS = """
CREATE FUNCTION log.event_counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log.event_count (model, name, n)
  SELECT model, name, CASE TG_OP WHEN 'INSERT' THEN COUNT(*) ELSE -COUNT(*) END
  FROM changed GROUP BY model, name ORDER BY model, name
  ON CONFLICT (model, name) DO UPDATE SET n = log.event_count.n + EXCLUDED.n;
  RETURN NULL;
END $$"""
COUNT_ALL = """
CREATE TRIGGER event_counted AFTER INSERT ON log.event REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION log.event_counts()"""
UNCOUNT_ALL = """
CREATE TRIGGER event_uncounted AFTER DELETE ON log.event REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION log.event_counts()"""
SQLITE = (COUNT_ONE, UNCOUNT_ONE)
POSTGRES = (COUNTS, COUNT_ALL, UNCOUNT_ALL)


def upgrade() -> None:
    op.create_table(
        "event_count",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_event_count")),
    )
    op.execute("INSERT INTO event_count (model, name, n) SELECT model, name, COUNT(*) FROM event GROUP BY model, name")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    on = "" if op.get_bind().dialect.name == "sqlite" else " ON log.event"
    for name in ("event_counted", "event_uncounted"):
        op.execute(f"DROP TRIGGER {name}{on}")
    if on:
        op.execute("DROP FUNCTION log.event_counts()")
    op.drop_table("event_count")
