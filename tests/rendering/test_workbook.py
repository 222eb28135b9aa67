"""The workbook as a library reads it: real tables, numbers as numbers, names as texts whatever they hold."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import openpyxl
import pytest

from mlops_dash.rendering.workbook import Sheet, workbook

AT = datetime(2026, 11, 23, 13, 5, 7, tzinfo=UTC)
ODD = [
    "=1+1",
    "=cmd|'/c calc'!A1",
    "+1",
    "-x",
    "@SUM(A1)",
    "<b>&amp;",
    'O\'Brien "x"',
    "模型 一号",
    "007",
    "1e3",
    "]]>",
]


def read(*sheets: Sheet) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(workbook(sheets)))


@pytest.mark.parametrize("text", ODD)
def test_a_name_is_text_in_cell_head_and_sheet(text: str) -> None:
    (sheet,) = read(Sheet(text, ["what", text], [[text, 1.5]])).worksheets
    assert [one.value for one in sheet[2]] == [text, 1.5]
    assert sheet["A2"].data_type == "s"
    assert sheet["B1"].value == text
    assert next(iter(sheet.tables.values())).column_names == ["what", text]


def test_each_sheet_is_a_table_with_a_filter_over_all_its_rows() -> None:
    book = read(Sheet("a", ["x", "y"], [[1, 2.5], [3, None]]), Sheet("b", ["z"], [["t"]]))
    first, second = book.worksheets
    assert [(one.ref, one.autoFilter.ref) for one in first.tables.values()] == [("A1:B3", "A1:B3")]
    assert {*first.tables, *second.tables} == {"table_1", "table_2"}
    assert first.freeze_panes == "A2"
    assert first["B3"].value is None


def test_values_keep_their_type() -> None:
    (sheet,) = read(Sheet("a", ["x"], [[AT], [True], [7], [0.1 + 0.2], [float("nan")]])).worksheets
    moment, *rest = [row[0].value for row in sheet.iter_rows(min_row=2)]
    assert abs((moment - AT.replace(tzinfo=None)).total_seconds()) < 1e-3
    assert rest == [True, 7, 0.1 + 0.2, "NaN"]


def test_a_sheet_without_rows_has_its_heads_and_no_table() -> None:
    (sheet,) = read(Sheet("a", ["x", "y"], [])).worksheets
    assert [one.value for one in sheet[1]] == ["x", "y"]
    assert not sheet.tables


def test_the_same_names_are_told_apart() -> None:
    book = read(Sheet("a/b", ["x", "X", ""], [[1, 2, 3]]), Sheet("A:B", ["y"], [[1]]))
    assert book.sheetnames == ["a b", "A B 2"]
    assert [one.value for one in book.worksheets[0][1]] == ["x", "X 2", "column"]


def test_the_same_sheets_are_the_same_bytes() -> None:
    assert workbook([Sheet("a", ["x"], [[1]])]) == workbook([Sheet("a", ["x"], [[1]])])
