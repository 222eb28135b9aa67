"""Bring both databases to the current schema, and say whether they are.

`upgrade` runs at the start of every process; three at once do not collide: on SQLite the whole upgrade is one
`BEGIN IMMEDIATE` transaction, on Postgres it holds an advisory lock. Either all of it happens or nothing.

A new migration after a change of the tables (then read it and edit it by hand):
    python -m mlops_dash.store.migrate revision "say what changes" && ruff format src/mlops_dash/store/migrations
Before the first release the initial one may be made anew instead (it replaces both 0001 files):
    python -m mlops_dash.store.migrate initial && ruff format src/mlops_dash/store/migrations
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, String
from sqlalchemy.engine import Connection, Engine
from sqlmodel import text
from sqlmodel.sql.sqltypes import AutoString

from mlops_dash.errors import StoreUnavailable
from mlops_dash.store.db import Databases, engine, reading, transaction
from mlops_dash.store.tables.app import APP
from mlops_dash.store.tables.log import LOG
from mlops_dash.store.types import JsonText, UtcDateTime

MIGRATIONS = Path(__file__).parent / "migrations"
METADATA: dict[str, MetaData] = {"app": APP, "log": LOG}
_LOCK = 7_201_015
_ONE_AT_A_TIME = threading.Lock()  # Alembic's environment is one global of the process


@dataclass(frozen=True)
class SchemaState:
    """How one database stands: its revision, the newest one, and where its tables differ from the code."""

    name: str  # app | log
    revision: str  # "" = no table yet
    head: str
    differences: tuple[str, ...]

    @property
    def current(self) -> bool:
        """Whether nothing needs to be done."""
        return self.revision == self.head and not self.differences


def upgrade(databases: Databases) -> None:
    """Bring both databases to the newest revision; nothing happens when they are there.

    Raises:
        StoreUnavailable: a database cannot be reached or written, or a newer version made it.
    """
    for name, target in _both(databases):
        revision = _revision(target, name)
        if revision == _head(name):
            continue
        if revision and revision not in _known(name):
            raise StoreUnavailable(
                f"The database {name} has the schema revision {revision}, which this version does not know.",
                hint="A newer mlops-dash made it: start that one, or restore a backup.",
            )
        with _ONE_AT_A_TIME, _exclusive(target, name) as connection:
            command.upgrade(_config(name, connection), "head")


def check(databases: Databases) -> tuple[SchemaState, ...]:
    """Compare both databases with the code; changes nothing.

    Raises:
        StoreUnavailable: a database cannot be reached.
    """
    return tuple(_state(name, target) for name, target in _both(databases))


def _both(databases: Databases) -> tuple[tuple[str, Engine], ...]:
    return ("app", databases.app), ("log", databases.log)


def _state(name: str, target: Engine) -> SchemaState:
    revision = _revision(target, name)
    options = {"compare_type": True, "include_object": _ours(name), "version_table": _version_table(name)}
    with reading(target) as session:
        context = MigrationContext.configure(session.connection(), opts=options)
        differences = tuple(_sentence(difference) for difference in compare_metadata(context, METADATA[name]))
    return SchemaState(name, revision, _head(name), differences)


@contextmanager
def _exclusive(target: Engine, name: str) -> Iterator[Connection]:
    """A transaction that only one process has at a time."""
    with transaction(target) as session:
        connection = session.connection()
        if target.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
        yield connection


def _revision(target: Engine, name: str) -> str:
    with reading(target) as session:
        options = {"version_table": _version_table(name)}
        return MigrationContext.configure(session.connection(), opts=options).get_current_revision() or ""


def _head(name: str) -> str:
    return ScriptDirectory.from_config(_config(name)).get_current_head() or ""


def _known(name: str) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config(name)).walk_revisions()}


def _version_table(name: str) -> str:
    return f"alembic_version_{name}"  # its own name: both of our databases may be one file


def _config(name: str, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / name).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["options"] = {
        "target_metadata": METADATA[name],
        "version_table": _version_table(name),
        "render_item": render_item,
        "compare_type": True,
        "transactional_ddl": True,
        "render_as_batch": _head_exists(name),  # later changes of SQLite tables copy and move; first tables need not
    }
    return config


def _head_exists(name: str) -> bool:
    return (MIGRATIONS / name / "versions" / "0001_initial.py").exists()


def _ours(name: str) -> Any:
    """Each environment looks at its own tables: both of our databases may be one SQLite file."""

    def include(_object: Any, object_name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
        return not (kind == "table" and reflected and object_name not in METADATA[name].tables)

    return include


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """Write plain SQL types into migrations, so that an old migration never needs today's code."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, JsonText):
        return "sa.Text()"
    if isinstance(item, AutoString | String) and type(item) in {AutoString, String}:
        return "sa.String()"
    return False


def _sentence(difference: Any) -> str:
    if isinstance(difference, list):  # several changes of one column
        return "; ".join(_sentence(one) for one in difference)
    verb, *rest = difference
    words = [str(getattr(word, "name", word)) for word in rest if word is not None and not isinstance(word, dict)]
    return f"{verb.replace('_', ' ')}: {' '.join(words)}"


# --- for developers: python -m mlops_dash.store.migrate initial | revision MESSAGE -----------------------------------


def _write_revisions(message: str, *, initial: bool) -> None:
    for name in METADATA:
        if initial:
            (MIGRATIONS / name / "versions" / "0001_initial.py").unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            target = engine(f"sqlite:///{folder}/empty.db", schema=name)
            with _exclusive(target, name) as connection:
                config = _config(name, connection)
                if not initial:
                    command.upgrade(config, "head")
                number = len(list((MIGRATIONS / name / "versions").glob("[0-9]*.py"))) + 1
                command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
            target.dispose()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["initial"]:
            _write_revisions("initial", initial=True)
        case ["revision", str(what)]:
            _write_revisions(what, initial=False)
        case _:
            sys.exit(__doc__)
