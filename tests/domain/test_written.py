"""The dialect of a text file is told by its first rows, and never where commas could be meant."""

from __future__ import annotations

import pytest

from mlops_dash.domain.written import HEAD_BYTES, Dialect, dialect_of, with_points


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal_comma"),
    [
        ("a,b\n1,2\n", ",", False), ("a,b;c\n1,2\n", ",", False),
        ('"a;b",c\n1,2\n', ",", False), ("a\n1,5\n", ",", False),
        ("a;b\n1,5;2\n", ";", True), ("a;b\n1.5;2\n", ";", False), ("a;b\nx,y;2\n", ";", False),
        ('"a,b";c\n"1,5";2\n', ";", True), ("a|b\n1|2\n", "|", False), ("a\tb\n1,5\t2\n", "\t", True),
        ("a;b\n1.234,50;NA\n;\n", ";", True), ("", ",", False), ("a;b", ";", False),
    ],
)  # fmt: skip
def test_a_header_tells_the_separator_and_cells_tell_the_decimals(
    text: str, delimiter: str, decimal_comma: bool
) -> None:
    assert dialect_of(text.encode(), "file.csv") == Dialect(delimiter, decimal_comma)


def test_a_last_line_that_is_cut_says_nothing() -> None:
    rows = "a;b\n" + "1,5;x\n" * HEAD_BYTES
    cut = rows.encode()[: HEAD_BYTES - 1 - (HEAD_BYTES - 1 - 4) % 6 + 2]
    assert dialect_of((cut + b"," * HEAD_BYTES)[:HEAD_BYTES], "f.csv").decimal_comma


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (["1,5", "-2", "+3.000,25", None, "n/a", " 4,0 "], ["1.5", "-2", "+3000.25", None, "n/a", "4.0"]),
        (["1.234", "56"], ["1234", "56"]),
        (["007", "8"], None), (["1,5", "1.5"], None), (["01.02.2024"], None), ([None, ""], None), (["1,2,3"], None),
    ],
)  # fmt: skip
def test_a_column_of_decimal_commas_gets_points_and_every_other_stays(
    cells: list[str | None], plain: list[str | None] | None
) -> None:
    assert with_points(cells) == plain
