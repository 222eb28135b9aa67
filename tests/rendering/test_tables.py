"""Exported tables: every value survives, nothing becomes a formula, a link, a row or a command."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from mlops_dash.domain.experiments.tables import Cell, Heading, Spread, Table, TableFormat
from mlops_dash.rendering.tables import csv_text, latex, markdown, written, xlsx
from tests.runs_world import ODD

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
AT = datetime(2026, 11, 23, 13, 5, 7, tzinfo=UTC)
EVIL = [
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "a|b",
    "100 %_&#{}$~^\\",
    "<b>&amp;",
    "x\ny",
    "]]>",
]


def table(*rows: tuple[Cell, ...], headings: tuple[Heading, ...] = (Heading("name"), Heading("auc", 3))) -> Table:
    return Table("sweep [1]: a/b", headings, rows)


def sheet(content: bytes) -> list[list[object]]:
    """What a spreadsheet reads, by an XML parser of its own."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        for name in book.namelist():
            ElementTree.fromstring(book.read(name))
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows: list[list[object]] = []
    for row in root.iter(f"{MAIN}row"):
        rows.append([])
        for cell in row.iter(f"{MAIN}c"):
            assert cell.find(f"{MAIN}f") is None  # no formula, whatever the text
            number, text = cell.find(f"{MAIN}v"), cell.find(f"{MAIN}is/{MAIN}t")
            rows[-1].append(float(number.text or "") if number is not None else text.text if text is not None else None)
    return rows


@pytest.mark.parametrize("text", [*EVIL, ODD])
def test_csv_keeps_texts_and_runs_no_formula(text: str) -> None:
    (_, (name, value)) = csv.reader(io.StringIO(csv_text(table((text, 0.5))), newline=""))
    assert name.lstrip("'") == text
    assert not name.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert value == "0.5"


def test_csv_keeps_numbers_even_as_texts_and_names_what_is_no_number() -> None:
    rows = list(
        csv.reader(io.StringIO(csv_text(table(("-0.5", -0.25), (None, math.nan), ("", -math.inf), ("a", None)))))
    )
    assert rows[1:] == [["-0.5", "-0.25"], ["", "NaN"], ["", "-Infinity"], ["a", ""]]
    assert float(csv_text(table(("a", 0.1 + 0.2))).splitlines()[1].split(",")[1]) == 0.1 + 0.2


def test_headings_are_made_harmless_too() -> None:
    assert csv_text(table(headings=(Heading("=x"), Heading("m", 3)))).startswith("'=x,m")
    assert "a\\|b" in markdown(table(headings=(Heading("a|b"), Heading("m", 3))))


def test_a_spread_fills_five_columns() -> None:
    made = table(
        ("a", Spread(0.66, 0.001, 0.65, 0.67, 3, 4)), ("b", Spread(math.nan, math.nan, math.nan, math.nan, 0, 2)),
        ("c", None), headings=(Heading("name"), Heading("auc", 3, spread=True)),
    )  # fmt: skip
    rows = list(csv.reader(io.StringIO(csv_text(made))))
    assert rows[0] == ["name", "auc mean", "auc sd", "auc low", "auc high", "auc n"]
    assert rows[1:] == [["a", "0.66", "0.001", "0.65", "0.67", "3"], ["b", "", "", "", "", "0"], ["c", *[""] * 5]]
    assert sheet(xlsx(made))[1] == ["a", 0.66, 0.001, 0.65, 0.67, 3.0]
    assert "| a | 0.660 ± 0.010 (n 3 of 4) |" in markdown(made)
    assert "| b | — |" in markdown(made)
    assert r"0.660 $\pm$ 0.010 (n 3 of 4)" in latex(made)


@pytest.mark.parametrize("text", [*(one for one in EVIL if "\r" not in one), ODD])
def test_xlsx_keeps_texts_as_texts(text: str) -> None:
    assert sheet(xlsx(table((text, 0.1)))) == [["name", "auc"], [text, 0.1]]


def test_xlsx_has_numbers_dates_and_nothing_for_what_is_missing() -> None:
    made = sheet(xlsx(table(("3", 1e-12), ("007", math.inf), (None, None), (AT, 7))))
    assert made[1:4] == [[3.0, 1e-12], ["007", "Infinity"], [None, None]]
    assert made[4][0] == pytest.approx((AT - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86_400, abs=1e-9)


def test_xlsx_survives_what_xml_cannot_hold() -> None:
    assert sheet(xlsx(table(("a\x00b\ud800", 1.0), ("x" * 40_000, 1.0))))[1][0] == "a\ufffdb\ufffd"
    assert len(str(sheet(xlsx(table(("x" * 40_000, 1.0))))[1][0])) == 32_767
    with zipfile.ZipFile(io.BytesIO(xlsx(table()))) as book:
        root = ElementTree.fromstring(book.read("xl/workbook.xml"))
    (named,) = root.iter(f"{MAIN}sheet")
    assert named.get("name") == "sweep  1   a b"


def test_the_same_table_is_the_same_bytes() -> None:
    assert xlsx(table(("a", 0.5))) == xlsx(table(("a", 0.5)))


@pytest.mark.parametrize("text", EVIL)
def test_markdown_keeps_rows_and_columns(text: str) -> None:
    lines = markdown(table((text, -0.12345))).splitlines()
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == 3
    assert lines[1] == "| :--- | ---: |"
    assert lines[2].endswith("| −0.123 |")
    assert "<b>" not in lines[2]


@pytest.mark.parametrize("text", [*EVIL, "[x", ODD])
def test_latex_has_no_command_but_ours(text: str) -> None:
    said = latex(table((text, -0.12345)))
    row = said.splitlines()[5]
    assert row.endswith(r"$-$0.123 \\")
    assert not row.startswith("[")
    cell = row.rsplit(" & ", 1)[0]
    for ours in (r"\textbackslash{}", r"\textasciicircum{}", r"\textasciitilde{}", r"\textless{}", r"\textgreater{}",
                 r"\textbar{}", r"\&", r"\%", r"\$", r"\#", r"\_", r"\{", r"\}", "{}"):  # fmt: skip
        cell = cell.replace(ours, "")
    assert not set(cell) & set("\\{}$&#^_~%")
    assert "sweep [1]: a/b: 1 rows; needs" in said.splitlines()[0]


def test_rounding_is_the_pages_and_zero_has_no_sign() -> None:
    assert "| a | 0.000 |" in markdown(table(("a", -0.0001)))
    assert "| a | ∞ |" in markdown(table(("a", math.inf)))
    assert r"$\infty$" in latex(table(("a", math.inf)))
    assert "| 2026-11-23 13:05 |" in markdown(table(("a", AT)))


def test_all_formats_are_written() -> None:
    for kind in TableFormat:
        made = written(table(("ä", 0.5)), kind)
        assert made.startswith(b"PK") if kind is TableFormat.XLSX else "ä" in made.decode()
