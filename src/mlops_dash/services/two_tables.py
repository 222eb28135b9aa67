"""Have the columns of one file moved from those of another? Read column by column, so that a large file fits.

A CSV is text: a column is of numbers where nothing is lost by reading it so (`services.tables`). A parquet file has its
types. No database, no model, no login.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_dash.domain.monitoring.two_tables import ABSENT, Column, TwoTables, judge_tables
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.written import WORDS_FOR_NONE
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.tables import look_like_times, numbers_without_loss
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.cells import CategoryCells, Cells, NumericCells
from mlops_dash.stats.counting import Histogram, count, count_tally
from mlops_dash.stats.drift import column_drift
from mlops_dash.store.text_tables import read_text_table

_LOOKED_AT = 50  # different texts that tell whether a column holds times
_WORKERS = 2  # numpy and Arrow let go of the interpreter's lock while they count
_PARQUET = (".parquet", ".pq")
_ANY_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_TRUTH = {"true": "True", "false": "False", "1": "True", "0": "False"}
Read = Callable[[str], pa.ChunkedArray]
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class _Table:
    names: tuple[str, ...]
    n: int
    read: Read
    read_as: str = ""


def compare_files(
    reference: Path, current: Path, *, policy: MonitoringPolicy | None = None, leave_out: Collection[str] = (),
    tell: Tell | None = None,
) -> TwoTables:  # fmt: skip
    """Compare every column of a reference file with the same column of a current one.

    Args:
        reference: CSV, TSV or parquet.
        current: The same, not necessarily of the same kind.
        policy: Minima, floors and the share of false discoveries; the defaults without one.
        leave_out: Columns that are not compared.
        tell: Is told the share that is done and the column.

    Raises:
        NotFound: there is no such file.
        InvalidInput: a file cannot be read, holds no row, or no column is left.
    """
    old, new = _open(reference), _open(current)
    unknown = [name for name in leave_out if name not in old.names and name not in new.names]
    if unknown:
        raise InvalidInput(f"No file has a column {unknown[0]!r}.", hint=f"The reference has {', '.join(old.names)}.")
    names = [name for name in old.names if name not in leave_out]
    if not names:
        raise InvalidInput("No column is left to compare.", hint="Leave fewer columns out.")
    common, done = set(new.names), 0
    columns: list[Column] = []
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="column") as pool:
        for column in pool.map(lambda name: _column(name, old, new if name in common else None), names):
            columns.append(column)
            done += 1
            if tell is not None:
                tell(done / len(names), column.name)
    added = [name for name in new.names if name not in old.names and name not in leave_out]
    found = judge_tables(columns, n_reference=old.n, n_current=new.n, new=added, policy=policy or MonitoringPolicy())
    read = [f"{path.name} is read as {one.read_as}." for path, one in ((reference, old), (current, new)) if one.read_as]
    return replace(found, notes=(*found.notes, *read))


# --- files ------------------------------------------------------------------------------------------------------------


def _open(path: Path) -> _Table:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a CSV or parquet file.")
    try:
        table = _parquet(path) if path.name.lower().endswith(_PARQUET) else _csv(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InvalidInput(f"{path} could not be read: {said}.", hint="Give a CSV or parquet file.") from error
    if len(set(table.names)) < len(table.names):
        twice = next(name for name in table.names if table.names.count(name) > 1)
        raise InvalidInput(f"{path} has two columns {twice!r}.", hint="Give each column a name of its own.")
    if not table.names or table.n == 0:
        raise InvalidInput(f"{path} holds no rows.", hint="Give a file with a header and rows.")
    return table


def _parquet(path: Path) -> _Table:
    with pq.ParquetFile(path) as opened:
        schema, n = opened.schema_arrow, opened.metadata.num_rows
    names = tuple(str(name) for name in schema.names if not name.startswith("__index_level_"))

    def read(name: str) -> pa.ChunkedArray:
        with pq.ParquetFile(path) as opened:
            return opened.read(columns=[name], use_threads=False).column(name)

    return _Table(names, n, read)


def _csv(path: Path) -> _Table:
    """All cells as text, only an empty one missing."""
    table, dialect = read_text_table(path)
    return _Table(tuple(table.column_names), table.num_rows, table.column, dialect.words())


# --- columns ----------------------------------------------------------------------------------------------------------


def _column(name: str, old: _Table, new: _Table | None) -> Column:
    try:
        before = _plain(old.read(name))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"The column {name!r} could not be read: {str(error)[:200]}.") from error
    kind = _kind(before)
    if kind not in ("numeric", "category"):
        return Column(name, kind, None, reason=_WHY_NOT[kind])
    if new is None:
        return Column(name, kind, None, reason=ABSENT)
    after = _plain(new.read(name))
    now_kind = _kind(after)
    if now_kind not in ("numeric", "category"):
        return Column(name, kind, None, reason=f"in the current file: {_WHY_NOT[now_kind]}")
    words, example = 0, ""
    if kind == "numeric":
        numbers, _, _ = _numbers(before)
        values, words, example = _numbers(after)
        cells: Cells = NumericCells.of(name, numbers)
        past, now = count(cells, numbers), count(cells, values)
    else:
        cells, past, now = _levels(name, before, after)
    drift = column_drift(cells, past, now)
    if isinstance(cells, CategoryCells) and not cells.levels and cells.rare and drift.reason:
        drift = replace(drift, reason=f"no value is common, as of an id: {len(cells.rare):,} different ones")
    return Column(name, kind, drift, words, example, became=_became(before, after, kind, now_kind))


def _became(before: pa.ChunkedArray, after: pa.ChunkedArray, kind: str, now_kind: str) -> str:
    """What a column of words holds now that it holds words no more; "" else. Flags may be written as 0 and 1."""
    if (kind, now_kind) != ("category", "numeric") or pa.types.is_boolean(before.type):
        return ""
    held = before.null_count < len(before) and after.null_count < len(after)
    return "numbers now, words in the reference" if held else ""


_WHY_NOT = {
    "time": "a time moves on by itself",
    "nested": "its cells are lists or structures",
}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without dictionary, decimal and half-precision types."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return column.cast(pa.large_string())
    return column


def _kind(column: pa.ChunkedArray) -> str:
    kind = column.type
    if pa.types.is_temporal(kind):
        return "time"
    if pa.types.is_nested(kind):
        return "nested"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numeric" if len(column) - column.null_count else "category"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        different = _without_words(pc.unique(column)).drop_null()
        if look_like_times(different[:_LOOKED_AT].to_pylist()):
            return "time"
        return "category" if numbers_without_loss(different) is None else "numeric"
    return "category"


def _without_words(texts: Any) -> Any:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    known = pa.array(sorted(WORDS_FOR_NONE), type=words.type)
    return pc.if_else(pc.is_in(words, value_set=known), None, texts)


def _numbers(column: pa.ChunkedArray) -> tuple[Floats, int, str]:
    """Numbers, NaN where there is none; how many cells are words instead, and one of them."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        cast = column.cast(pa.float64(), safe=False)
        return np.asarray(cast.to_numpy(), dtype=np.float64), 0, ""
    texts = pc.utf8_trim_whitespace(_without_words(column))
    is_number = pc.fill_null(pc.match_substring_regex(texts, _ANY_NUMBER), False)
    plain = pc.utf8_ltrim(pc.if_else(is_number, texts, None), characters="+")
    words = pc.drop_null(pc.if_else(is_number, None, texts))
    numbers = np.asarray(plain.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return numbers, len(words), str(words[0].as_py()) if len(words) else ""


def _levels(name: str, before: pa.ChunkedArray, after: pa.ChunkedArray) -> tuple[CategoryCells, Histogram, Histogram]:
    """Cells and both histograms of a column of names."""
    texts, tally, gone = _tally(before)
    cells = CategoryCells.of_tally(name, texts, tally) if texts else CategoryCells.empty(name)
    flags = pa.types.is_boolean(before.type) and not pa.types.is_boolean(after.type)  # "true" or 1 in another file
    later, later_tally, later_gone = _tally(after, _TRUTH if flags else {})
    past = count_tally(cells, texts, tally, missing=gone)
    return cells, past, count_tally(cells, later, later_tally, missing=later_gone)


def _tally(column: pa.ChunkedArray, same: Mapping[str, str] | None = None) -> tuple[Sequence[str], Ints, int]:
    """The different values as text, how many rows hold each, and how many hold none."""
    counted = pc.value_counts(column)
    rows: dict[str, int] = {}
    gone = 0
    for value, n in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True):
        if value is None or value != value:
            gone += n
        else:
            text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
            text = (same or {}).get(text.lower(), text)
            rows[text] = rows.get(text, 0) + n
    return list(rows), np.array(list(rows.values()), dtype=np.int64), gone
