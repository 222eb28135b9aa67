"""How is a table that somebody brings read? Every cell of a CSV is text, and becomes a number where one is asked.

Names (of units, rows, arms, clusters, countries) are never guessed at: "007", "01", "NA" and "None" are names, and only
an empty cell is missing. Columns of a parquet file have their types already. No other file of ours reads a user's CSV.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_dash.domain.written import HEAD_BYTES, WORDS_FOR_NONE, Dialect, dialect_of, name_of, with_points
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.stats.arrays import Floats

_TRUTH = {"true": 1.0, "false": 0.0}
_PARQUET = (".parquet", ".pq")
_NUMBER = r"^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLAIN_SIGNS = 15  # a float keeps that many digits


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV (all text) or a parquet file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a CSV or parquet file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} could not be read: {error}.", hint="Give a CSV or parquet file.") from error
    return table_of(content, str(path))


def table_of(content: bytes, name: str) -> pd.DataFrame:
    r"""The table in a file's bytes, by the end of its name: parquet, tab-separated or CSV (all text).

    A CSV may be separated by semicolons, have decimal commas or Windows' letters: `attrs["read_as"]` says so.

    Raises:
        InvalidInput: it cannot be read.

    >>> table_of(b"id,arm\n007,None\n08,\n", "a.csv").to_numpy().tolist()
    [['007', 'None'], ['08', nan]]
    """
    end = name.lower()
    try:
        if end.endswith(_PARQUET):
            return _column_by_column(pd.read_parquet(io.BytesIO(content)), _without_empty_texts)
        return _texts(content, end)
    except Exception as error:  # pandas and pyarrow raise many kinds for bytes that are no table
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InvalidInput(f"{name} could not be read: {said}.", hint="Give a CSV or parquet file.") from error


def places_in_file(path: Path, rows: Sequence[int]) -> tuple[str, ...]:
    """Where some rows of a table stand in its file, in words: lines of a text file, empty ones counted."""
    if not rows or path.name.lower().endswith(_PARQUET):
        return tuple(f"row {row + 1:,}" for row in rows)
    wanted, lines = set(rows), {}
    with path.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter="\t" if path.name.lower().endswith(".tsv") else ",")
        number, before = -1, 0  # the header is no row
        for cells in reader:
            if cells:
                if number in wanted:
                    lines[number] = before + 1
                number += 1
            before = reader.line_num
    return tuple(f"line {lines[row]:,}" for row in rows)


def table_of_json(said: Any) -> pd.DataFrame:
    """MLflow's table of names and rows; a column of whole numbers and gaps keeps its whole numbers.

    Raises:
        InvalidInput: it is no such table.

    >>> names_of(table_of_json({"columns": ["id"], "data": [[9007199254740993], [None]]})["id"]).tolist()
    ['9007199254740993', None]
    """
    try:
        made = pd.DataFrame(said["data"], columns=said["columns"], dtype=object)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput("This is no table of columns and data.") from error
    guessed = _column_by_column(made, lambda column: column if _gaps_in_whole(column) else column.infer_objects())
    return _column_by_column(guessed, _without_empty_texts)


def names_in_csv(content: bytes, column: str) -> list[str | None] | None:
    """One column of a CSV as names; None where the CSV has no such column.

    Raises:
        InvalidInput: it is no CSV.
    """
    try:
        table = _cells(content, Dialect())
    except ValueError as error:
        raise InvalidInput(f"The body is no CSV: {error}.", hint="Send a header and a line a row.") from error
    return names_of(table[column]).tolist() if column in table else None


def as_written(table: pd.DataFrame, *, gaps: bool = False) -> pd.DataFrame:
    """The table with numbers where a column's cells are all numbers, and turning them into numbers merges none.

    So "007" and "+7" stay names, as do "1.1" beside "1.10" (versions) and whole numbers that a float cannot hold.

    Args:
        table: As `read_table` gives it.
        gaps: Whether a word for "no number" ("NA", "null") is an empty cell in a column that else holds numbers.

    >>> written = {"id": ["007", "8"], "n": ["7", "8"], "x": ["0.8444218515250481", None], "y": ["1.50", "1e-05"]}
    >>> [str(kind) for kind in as_written(pd.DataFrame(written)).dtypes]
    ['object', 'int64', 'float64', 'float64']
    """
    return _column_by_column(table, functools.partial(_as_written, gaps=gaps))


def names_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """Names as text, None where a cell is empty; a whole number of a typed column has no point.

    >>> names_of(pd.Series(["007", "NA", None])).tolist(), names_of(pd.Series([7.0, float("nan")])).tolist()
    (['007', 'NA', None], ['7', None])
    """
    empty = column.isna().to_numpy()
    texts = [None if gone else name_of(value) for value, gone in zip(column, empty, strict=True)]
    return pd.Series(texts, index=column.index, dtype=object)


def numbers_of(column: pd.Series[Any], name: str) -> Floats:
    """Numbers, NaN where a cell is empty or says that there is none ("NA", "null").

    Raises:
        InvalidInput: a cell is another word, or infinite.

    >>> numbers_of(pd.Series(["1.5", "NA", None, "TRUE"]), "spend").tolist()
    [1.5, nan, nan, 1.0]
    """
    try:
        if is_text(column):
            gone = column.isna()
            made = [np.nan if empty else _number(value) for value, empty in zip(column, gone, strict=True)]
            values = np.array(made, dtype=np.float64)
        else:
            values = column.astype(float).to_numpy(dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"The column {name!r} is not of numbers: {error}.") from error
    if np.isinf(values).any():
        raise InvalidInput(f"The column {name!r} holds infinities.", hint="Leave those rows out.")
    return values


def numbers_without_loss(texts: pa.Array) -> bool | None:
    """Whether different texts are whole numbers; None where they are no numbers, or not as many different ones.

    >>> numbers_without_loss(pa.array(["7", "8.5"])), numbers_without_loss(pa.array(["7", "007"]))
    (False, None)
    """
    if not len(texts) or not pc.all(pc.match_substring_regex(texts, _NUMBER)).as_py():
        return None
    fractions = pc.match_substring_regex(texts, "[.eE]")
    if pc.any(pc.and_(pc.invert(fractions), pc.greater(pc.utf8_length(texts), _PLAIN_SIGNS))).as_py():
        return None
    numbers = texts.cast(pa.float64())
    if len(pc.unique(numbers)) < len(texts) or not pc.all(pc.is_finite(numbers)).as_py():
        return None
    return not pc.any(fractions).as_py()


def instants_of(column: pd.Series[Any], name: str, zone: ZoneInfo) -> pd.Series[Any]:
    """Times as aware UTC, to the microsecond, NaT where a cell is empty; those without a zone are in `zone`.

    Raises:
        InvalidInput: a cell is no time, or zones differ.
    """
    try:
        at = pd.to_datetime(column, format="mixed" if column.dtype == object else None)
    except (ValueError, TypeError, OverflowError) as error:
        said = str(error).splitlines()[0][:160]
        raise InvalidInput(
            f"The times in {name!r} cannot be read: {said}.", hint="Use 2026-03-01T06:00+00:00."
        ) from error
    if not pd.api.types.is_datetime64_any_dtype(at):
        raise InvalidInput(f"The times in {name!r} have different zones.", hint="Write them all in one zone.")
    if at.dt.tz is None:
        at = at.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    return at.dt.tz_convert("UTC").dt.floor("us")


def look_like_times(texts: Iterable[object]) -> bool:
    """Whether there are texts and all begin with a day.

    >>> look_like_times(["2026-03-01", "2026-03-01T06:00Z"]), look_like_times(["2026"]), look_like_times([])
    (True, False, False)
    """
    seen = [str(text) for text in texts]
    return bool(seen) and all(_DAY.match(text) for text in seen)


def is_text(column: pd.Series[Any]) -> bool:
    """Whether a column's cells are texts, or of no one type."""
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


def _texts(content: bytes, name: str) -> pd.DataFrame:
    """All cells as text; `attrs["read_as"]` says what is unusual about how they are written."""
    dialect = dialect_of(content[:HEAD_BYTES], name)
    try:
        table = _cells(content, dialect)
    except UnicodeDecodeError:
        if b"\0" in content[:HEAD_BYTES] or dialect.encoding != "utf-8-sig":
            raise
        dialect = dialect_of(content[:HEAD_BYTES], name, encoding="cp1252")
        table = _cells(content, dialect)
    if dialect.decimal_comma:
        for at in range(table.shape[1]):
            column = table.iloc[:, at]
            plain = with_points([None if gone else cell for cell, gone in zip(column, column.isna(), strict=True)])
            if plain is not None:
                table.isetitem(at, pd.Series(plain, index=table.index, dtype=column.dtype).array)
    table.attrs["read_as"] = dialect.words()
    return table


def _cells(content: bytes, dialect: Dialect) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(content), sep=dialect.delimiter, dtype=str, keep_default_na=False, na_values=[""],
        encoding=dialect.encoding,
    )  # fmt: skip


def _column_by_column(table: pd.DataFrame, made: Callable[[pd.Series[Any]], pd.Series[Any]]) -> pd.DataFrame:
    """The table with each column remade; several may have one name."""
    columns = [made(table.iloc[:, at]) for at in range(table.shape[1])]
    return pd.concat(columns, axis=1) if columns else table


def _without_empty_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """An empty text is an empty cell, as in a CSV."""
    if not is_text(column):
        return column
    empty = [isinstance(one, str) and not one for one in column]
    return column.mask(np.array(empty), None) if any(empty) else column


def _gaps_in_whole(column: pd.Series[Any]) -> bool:
    """Whether guessing its type would make floats of whole numbers."""
    return bool(column.isna().any()) and any(isinstance(one, int) and not isinstance(one, bool) for one in column)


def _as_written(column: pd.Series[Any], *, gaps: bool) -> pd.Series[Any]:
    if not is_text(column):
        return column
    try:
        texts = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # a column of no one type
        return column
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return column
    if gaps:
        words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
        texts = pc.if_else(pc.is_in(words, value_set=pa.array(sorted(WORDS_FOR_NONE))), None, texts)
    whole = numbers_without_loss(pc.unique(texts.drop_null()))
    if whole is None:
        return column
    kind = "int64" if whole and not texts.null_count else "float64"
    numbers = texts.cast(pa.int64() if kind == "int64" else pa.float64())
    return pd.Series(numbers.to_numpy(zero_copy_only=False), index=column.index, name=column.name, dtype=kind)


def _number(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    word = value.strip().lower()
    if word in WORDS_FOR_NONE:
        return np.nan
    return _TRUTH[word] if word in _TRUTH else float(word)
