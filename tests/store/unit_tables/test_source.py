"""A table of units as DuckDB sees it: what is a name, what is a number, and what cannot be read."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.store.unit_tables.source import Source, open_file, open_frame, quoted


def numbers(source: Source, column: str) -> list[float | None]:
    return [row[0] for row in source.run.execute(f"SELECT {source.number(column, guarded=True)} FROM units").fetchall()]


def names(source: Source, column: str) -> list[object]:
    return [row[0] for row in source.run.execute(f"SELECT {source.name(column)} FROM units").fetchall()]


def test_in_a_csv_every_cell_is_text_and_only_an_empty_one_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "it's [a] file*.csv"
    path.write_bytes('\ufeff"the ""fast"" one",n\n007,1.5\nNone, 2 \n"",NA\n"a\nb",TRUE\n'.encode())
    with open_file(path) as source:
        assert names(source, 'the "fast" one') == ["007", "None", None, "a\nb"]
        source.check_numbers("n")
        assert numbers(source, "n") == [1.5, 2.0, None, 1.0]


def test_two_columns_of_one_name_are_two_columns(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("y\ty\n1\t2\n")
    with open_file(tmp_path / "t.tsv") as source:
        assert {"y", "y.1"} == set(source.types)
        assert numbers(source, "y.1") == [2.0]


@pytest.mark.parametrize("name", ["plain.parquet", "it's [a]?.parquet"])
def test_a_parquet_file_has_its_types(tmp_path: Path, name: str) -> None:
    table = pa.table({
        "kind": pa.array(["a", "", None]).dictionary_encode(), "raw": pa.array([b"caf\xc3\xa9", b"", None]),
        "cost": pa.array([Decimal("1.50"), None, Decimal("2.25")]), "on": [True, None, False],
        "x": [1.0, float("nan"), 7.0],
    })  # fmt: skip
    pq.write_table(table, tmp_path / name)
    with open_file(tmp_path / name) as source:
        assert names(source, "kind") == ["a", None, None]
        assert names(source, "x") == [1.0, None, 7.0]
        assert [numbers(source, column) for column in ("cost", "on", "x")] == [
            [1.5, None, 2.25], [1.0, None, 0.0], [1.0, None, 7.0],
        ]  # fmt: skip


def test_a_frame_may_hold_a_column_of_no_one_type() -> None:
    with open_frame(pd.DataFrame({"who": ["a", 7.0, None], "y": [1, 2, 3]})) as source:
        assert names(source, "who") == ["a", "7", None]


@pytest.mark.parametrize(
    ("cells", "said"),
    [(["1", "ten"], "not of numbers: it holds 'ten'"), (["1", "1e400"], "infinities"), (["1", "inf"], "infinities")],
)
def test_a_cell_that_is_no_number_is_named(cells: list[str], said: str) -> None:
    with open_frame(pd.DataFrame({"y": cells})) as source, pytest.raises(InvalidInput, match=said):
        source.check_numbers("y")


def test_a_column_of_times_is_not_of_numbers() -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-01-01"])})
    with open_frame(frame) as source, pytest.raises(InvalidInput, match="not of numbers: it holds timestamp"):
        source.number("at", guarded=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.parquet", b"PAR1 no"), ("a.csv", b"a,b\n1,2,3\n"), ("a.csv", b"\xff\xfe\x00"), ("a.csv", b"")],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match="could not be read") as caught, open_file(tmp_path / name):
        pass
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"), open_file(tmp_path / "none.parquet"):
        pass


def test_a_name_with_quotes_is_one_identifier() -> None:
    with open_frame(pd.DataFrame({'"; DROP VIEW units; --': np.arange(2)})) as source:
        assert numbers(source, '"; DROP VIEW units; --') == [0.0, 1.0]
    assert quoted('a"b') == '"a""b"'
