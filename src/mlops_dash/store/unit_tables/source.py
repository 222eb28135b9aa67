"""A table of units as DuckDB sees it: a parquet file is scanned where it lies, a CSV or a frame goes through Arrow.

Names are text and only an empty cell is missing; numbers are asked for as numbers (`domain.written`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_dash.domain.written import WORDS_FOR_NONE, name_of
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.store.text_tables import read_text_table

if TYPE_CHECKING:
    import pandas as pd

_PARQUET = (".parquet", ".pq")
_NUMBERS = frozenset({
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    "FLOAT", "DOUBLE", "BOOLEAN",
})  # fmt: skip
_FRACTIONS = ("FLOAT", "DOUBLE")
_SPACES = "' ' || chr(9) || chr(10) || chr(13)"


@dataclass(frozen=True)
class Source:
    """The table `units` of a connection.

    Attributes:
        run: The connection.
        types: DuckDB's type of each column.
        read_as: What is unusual about how a text file is written.
    """

    run: duckdb.DuckDBPyConnection
    types: dict[str, str]
    read_as: str = ""

    def __contains__(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.types

    def name(self, column: str) -> str:
        """SQL of a column of names, as it is stored; NULL where a cell is empty."""
        kind = self.types[column]
        if kind == "VARCHAR":
            return f"nullif(CAST({quoted(column)} AS VARCHAR), '')"
        if kind in _FRACTIONS:
            return f"CASE WHEN NOT isnan({quoted(column)}) THEN {quoted(column)} END"
        return quoted(column)

    def number(self, column: str, *, guarded: bool) -> str:
        """SQL of a column of numbers (DOUBLE); NULL where there is none.

        Args:
            column: Its name.
            guarded: Whether NaN is NULL too; without it NaN and infinities spoil sums, which tells that they are there.

        Raises:
            InvalidInput: the column's type is not of numbers.
        """
        kind = self.types[column]
        if kind == "VARCHAR":
            return f"TRY_CAST({self._word(column)} AS DOUBLE)"
        if kind in _FRACTIONS and guarded:
            return f"CASE WHEN NOT isnan({quoted(column)}) THEN CAST({quoted(column)} AS DOUBLE) END"
        if kind in _NUMBERS or kind.startswith("DECIMAL"):
            return f"CAST({quoted(column)} AS DOUBLE)"
        raise InvalidInput(f"The column {column!r} is not of numbers: it holds {kind.lower()}.")

    def check_numbers(self, column: str) -> None:
        """Look at every cell of a column of numbers.

        Raises:
            InvalidInput: a cell is another word, or infinite.
        """
        number = self.number(column, guarded=True)
        if self.types[column] == "VARCHAR":
            word = self._word(column)
            found = self.run.execute(
                f"SELECT {quoted(column)} FROM units WHERE {word} IS NOT NULL AND {number} IS NULL LIMIT 1"
            ).fetchone()
            if found is not None:
                raise InvalidInput(f"The column {column!r} is not of numbers: it holds {str(found[0])[:80]!r}.")
        if self.run.execute(f"SELECT 1 FROM units WHERE isinf({number}) LIMIT 1").fetchone() is not None:
            raise InvalidInput(f"The column {column!r} holds infinities.", hint="Leave those rows out.")

    @staticmethod
    def _word(column: str) -> str:
        """SQL of a text cell that shall be a number; NULL where it says that there is none."""
        trimmed = f"trim(CAST({quoted(column)} AS VARCHAR), {_SPACES})"
        none = ", ".join(f"'{word}'" for word in sorted(WORDS_FOR_NONE))
        return (
            f"CASE WHEN lower({trimmed}) IN ({none}) THEN NULL WHEN lower({trimmed}) = 'true' THEN '1' "
            f"WHEN lower({trimmed}) = 'false' THEN '0' ELSE {trimmed} END"
        )


def quoted(column: str) -> str:
    """A name as SQL.

    >>> quoted('the "fast" one')
    '"the ""fast"" one"'
    """
    return '"' + column.replace('"', '""') + '"'


def as_text(values: list[Any]) -> list[str]:
    """Names as they are shown, of cells that are not empty.

    >>> as_text([7.0, "007", True])
    ['7', '007', 'True']
    """
    return [name_of(one) for one in values]


@contextmanager
def open_file(path: Path) -> Iterator[Source]:
    """The table in a parquet, CSV or TSV file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a CSV or parquet file.")
    try:
        read_as = ""
        with _connection() as run:
            if path.name.lower().endswith(_PARQUET):
                _view_parquet(run, path)
            else:
                table, read_as = _csv(path)
                run.register("units", table)
            yield replace(_source(run), read_as=read_as)
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InvalidInput(f"{path} could not be read: {said}.", hint="Give a CSV or parquet file.") from error


@contextmanager
def open_frame(frame: pd.DataFrame) -> Iterator[Source]:
    """The table in memory; a column of no one type is text."""
    columns = {}
    for at, name in enumerate(frame.columns):
        column = frame.iloc[:, at]
        try:
            columns[str(name)] = pa.array(column, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            texts = [None if gone else name_of(cell) for cell, gone in zip(column, column.isna(), strict=True)]
            columns[str(name)] = pa.array(texts, type=pa.large_string())
    with _connection() as run:
        run.register("units", pa.table(columns))
        yield _source(run)


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    run = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "temp_directory": ""}
    )
    try:
        yield run
    finally:
        run.close()


def _source(run: duckdb.DuckDBPyConnection) -> Source:
    described = run.execute("DESCRIBE units").fetchall()
    return Source(run, {str(row[0]): "VARCHAR" if str(row[1]).startswith("ENUM") else str(row[1]) for row in described})


def _view_parquet(run: duckdb.DuckDBPyConnection, path: Path) -> None:
    if any(sign in str(path) for sign in "*?["):  # DuckDB would look for files of such a pattern
        run.register("units", pq.read_table(path, partitioning=None))
        return
    place = str(path).replace("'", "''")
    run.execute(f"CREATE VIEW units AS SELECT * FROM read_parquet('{place}', binary_as_string = true)")


def _csv(path: Path) -> tuple[pa.Table, str]:
    """The table, a name that comes again with a number, and what is unusual about how it is written."""
    table, dialect = read_text_table(path)
    header = table.column_names
    if not header:
        raise InvalidInput(f"{path} could not be read: it is empty.", hint="Give a CSV or parquet file.")
    names: list[str] = []
    for name in header:
        again = sum(1 for one in header[: len(names)] if one == name)
        names.append(f"{name}.{again}" if again else name)
    return table.rename_columns(names), dialect.words()
