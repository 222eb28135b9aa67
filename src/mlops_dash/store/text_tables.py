"""A CSV or TSV file as an Arrow table: all cells are text, only an empty one is missing, whatever dialect it is in."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from mlops_dash.domain.written import HEAD_BYTES, Dialect, dialect_of, with_points

_BLOCK_BYTES = 16 << 20


def read_text_table(path: Path) -> tuple[pa.Table, Dialect]:
    """Read a text file; names are those of the header, also where one comes twice.

    Raises:
        pa.ArrowException: lines have different numbers of cells.
        UnicodeDecodeError: its letters cannot be read.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    dialect = dialect_of(head, path.name)
    try:
        return _read(path, dialect)
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        if b"\0" in head or dialect.encoding != "utf-8-sig" or "UTF8" not in str(error).upper().replace("-", ""):
            raise
    dialect = dialect_of(head, path.name, encoding="cp1252")
    return _read(path, dialect)


def _read(path: Path, dialect: Dialect) -> tuple[pa.Table, Dialect]:
    with path.open(encoding=dialect.encoding, newline="") as file:
        names = next(csv.reader(file, delimiter=dialect.delimiter), [])
    if not names:
        return pa.table({}), dialect
    places = [str(at) for at in range(len(names))]  # Arrow wants each name once
    table = pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(
            column_names=places, skip_rows_after_names=1, block_size=_BLOCK_BYTES,
            encoding="utf8" if dialect.encoding == "utf-8-sig" else dialect.encoding,
        ),
        parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.large_string()), null_values=[""], strings_can_be_null=True
        ),
    )  # fmt: skip
    if dialect.decimal_comma:
        for at, column in enumerate(table.columns):
            plain = with_points(column.to_pylist())
            if plain is not None:
                table = table.set_column(at, str(at), pa.array(plain, pa.large_string()))
    return table.rename_columns(names), dialect
