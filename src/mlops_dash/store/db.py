"""Engines and transactions: two databases, one writer at a time on SQLite, our own errors instead of the driver's.

SQLite: WAL, `BEGIN IMMEDIATE` for writes, 10 s of patience. Postgres: the schemas `app` and `log`.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, create_engine, text

from mlops_dash.errors import InvalidInput, StoreUnavailable
from mlops_dash.settings import Settings, keep_private

__all__ = [
    "BUSY_SECONDS",
    "Databases",
    "Engine",
    "Session",
    "cold_folder",
    "connect",
    "engine",
    "holding",
    "is_sqlite",
    "reading",
    "transaction",
]

BUSY_SECONDS = 10
_LEDGER_LOCK = 7_201_013
_NO_SCHEMA = frozenset({"42P01", "3F000"})  # Postgres: undefined table, undefined schema
_UPGRADE = "Run: mlops-dash db upgrade."


@dataclass(frozen=True)
class Databases:
    """The two engines of one installation."""

    app: Engine
    log: Engine

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.app.dispose()
        self.log.dispose()


def connect(settings: Settings) -> Databases:
    """Engines for both databases; nothing is opened until used. SQLite files are closed to people outside their group.

    A new file is its owner's alone (the process's umask); one that is there may be shared with a group on purpose.
    """
    log = engine(settings.log_database_url, schema="log").execution_options(mlops_dash_cold=str(settings.home / "cold"))
    made = Databases(engine(settings.database_url, schema="app"), log)
    for file in (*_sqlite_files(made.app), *_sqlite_files(made.log)):
        keep_private(file, others=0o007)
    return made


def engine(url: str, *, schema: str) -> Engine:
    """One engine. `schema` is the Postgres schema; SQLite files have none.

    Raises:
        InvalidInput: the address is neither SQLite nor Postgres.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise InvalidInput(
            "The database address cannot be read.", hint="Use sqlite:///FILE or postgresql://USER@HOST/NAME."
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        made = create_engine(
            parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None}
        )
        event.listen(made, "connect", _sqlite_pragmas)
        event.listen(made, "begin", _sqlite_begin)
        return made
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, pool_pre_ping=True, pool_size=5, connect_args={"options": f"-csearch_path={schema} -ctimezone=UTC"}
        )
    raise InvalidInput(f"The database kind {backend!r} is not supported.", hint="Use SQLite or Postgres.")


@contextmanager
def transaction(target: Engine, *, ledger: bool = False) -> Iterator[Session]:
    """One write transaction: commits at the end, undoes everything on any error.

    With `ledger`, transactions that append to the ledger run one after the other (Postgres advisory lock; SQLite has
    one writer anyway).

    Raises:
        StoreUnavailable: the database is locked, read-only, full or away.
    """
    with (
        _our_errors(target),
        Session(target.execution_options(mlops_dash_write=True), expire_on_commit=False) as session,
        session.begin(),
    ):
        if ledger and target.dialect.name == "postgresql":
            session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_LEDGER_LOCK})"))
        yield session


@contextmanager
def reading(target: Engine) -> Iterator[Session]:
    """One read: a consistent snapshot, never a lock that writers wait for."""
    if target.dialect.name == "postgresql":  # its default would show each statement another moment
        target = target.execution_options(isolation_level="REPEATABLE READ")
    with _our_errors(target), Session(target, expire_on_commit=False) as session:
        yield session


@contextmanager
def holding(target: Engine, key: int, *, seconds: float) -> Iterator[bool]:
    """Hold an advisory lock of a Postgres database across transactions; gives whether it was had in time.

    SQLite has none: there it is had at once.

    Raises:
        StoreUnavailable: the database is away.
    """
    if target.dialect.name != "postgresql":
        yield True
        return
    with target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until = time.monotonic() + seconds
        with _our_errors(target):
            while not (had := bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({key})")))):
                if time.monotonic() >= until:
                    break
                time.sleep(0.05)
        try:
            yield had
        finally:
            if had:
                with _our_errors(target):
                    connection.execute(text(f"SELECT pg_advisory_unlock({key})"))


def is_sqlite(session: Session) -> bool:
    """Whether this session talks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def cold_folder(session: Session) -> Path:
    """The folder of the cold files that belong to the database of this session."""
    return Path(session.get_bind().get_execution_options()["mlops_dash_cold"])


def _sqlite_files(target: Engine) -> tuple[Path, ...]:
    """The file of a SQLite engine with those that SQLite keeps beside it, where they exist; none for Postgres."""
    name = target.url.database if target.dialect.name == "sqlite" else None
    return tuple(file for end in ("", "-wal", "-shm") if name and (file := Path(f"{name}{end}")).is_file())


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except Exception:  # a read-only file cannot change its journal mode, and can still be read
            if not pragma.startswith("journal_mode"):
                raise
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    write = connection.get_execution_options().get("mlops_dash_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _our_errors(target: Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if _is_our_mistake(error):
            raise
        raise StoreUnavailable(_why(target, error), hint=_next_step(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(_why(target, error), hint="Check that the database server runs.") from error
        if getattr(error.orig, "sqlstate", "") in _NO_SCHEMA:
            raise StoreUnavailable(_why(target, error), hint=_UPGRADE) from error
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreUnavailable("The disk is full.", hint="Free some space; nothing was half-written.") from error
        raise


def _is_our_mistake(error: DBAPIError) -> bool:
    """SQLite calls a wrong statement an OperationalError too; only a missing table is a state of the database."""
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_ERROR" and "no such table" not in str(error.orig)


def _why(target: Engine, error: DBAPIError) -> str:
    name = target.url.database or "the database"
    return f"The database {name} did not take the request: {str(error.orig).strip().splitlines()[0]}."


def _next_step(error: DBAPIError) -> str:
    said = str(error.orig).lower()
    if "locked" in said or "busy" in said:
        return "Another process is writing; try again in a moment. Nothing was changed."
    if "readonly" in said or "read-only" in said:
        return "Make the file writable. Nothing was changed."
    if "full" in said or "no space" in said:
        return "Free some space on the disk. Nothing was half-written."
    if "no such table" in said or "does not exist" in said:
        return _UPGRADE
    return "Check that the database can be reached. Nothing was changed."
