"""Tables of the `app` database: decisions, registry, evidence, monitors, jobs, people, ledger.

Ids are text; times are aware UTC; JSON is canonical text. Uniqueness that protects a rule is said here, in the
database, not only in code. Table classes never leave `store`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Column, MetaData, Text
from sqlmodel import Field, SQLModel

from mlops_dash.store.types import JsonText, UtcDateTime

APP = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class AppTable(SQLModel):
    """Base: all tables of the app database share one MetaData."""

    metadata: ClassVar[MetaData] = APP


def time_column(*, nullable: bool = False, index: bool = False) -> Any:
    """A column of aware UTC times."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


def json_column(*, nullable: bool = False) -> Any:
    """A column of JSON, the same text on every database."""
    return Field(default=None, sa_column=Column(JsonText, nullable=nullable))


def text_column(*, default: str = "") -> Any:
    """A column of text of any length that is never null."""
    return Field(default=default, sa_column=Column(Text, nullable=False))
