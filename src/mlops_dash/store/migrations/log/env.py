"""Alembic's entry for the database `log`; `store/migrate.py` gives the connection, the options and the transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], **context.config.attributes["options"])
context.run_migrations()
