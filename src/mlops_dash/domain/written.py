"""What does a table that somebody brings say? Its separator, its decimals, its letters, and a single cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

WORDS_FOR_NONE = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "-nan", "#n/a"})  # in a column of numbers
HEAD_BYTES = 64 << 10
_OTHERS = (";", "\t", "|")
_SIGNS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_WITH_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Dialect:
    """How a text file writes its cells.

    Attributes:
        delimiter: Between two cells.
        decimal_comma: Whether 1.234,5 is a number.
        encoding: Python's name of it; a mark at the beginning is no letter.
    """

    delimiter: str = ","
    decimal_comma: bool = False
    encoding: str = "utf-8-sig"

    def words(self) -> str:
        """What is unusual about it, "" for commas, points and UTF-8.

        >>> Dialect(";", decimal_comma=True).words()
        'separated by semicolons, with decimal commas'
        """
        said = [f"separated by {_SIGNS[self.delimiter]}"] if self.delimiter in _SIGNS else []
        said += ["with decimal commas"] if self.decimal_comma else []
        return ", ".join(said + ([f"in {self.encoding}"] if self.encoding != "utf-8-sig" else []))


def dialect_of(head: bytes, name: str, *, encoding: str = "") -> Dialect:
    r"""Tell a text file's dialect by its first bytes; a header with a comma outside quotes means commas.

    Args:
        head: The first `HEAD_BYTES` of it.
        name: Of the file; .tsv means tabs.
        encoding: Its letters where they are known; else UTF-16 by its mark, or UTF-8.

    >>> dialect_of("Größe;Preis\n1;2,50\n".encode(), "a.csv")
    Dialect(delimiter=';', decimal_comma=True, encoding='utf-8-sig')
    >>> dialect_of(b"a,b;c\n1,2\n", "a.csv").delimiter, dialect_of(b"a\n", "a.tsv").delimiter
    (',', '\t')
    """
    letters = encoding or ("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    lines = head.decode(letters, errors="replace").splitlines()
    lines = lines if len(head) < HEAD_BYTES or len(lines) < 2 else lines[:-1]  # the last one may be cut
    header = lines[0] if lines else ""
    delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(header)
    if delimiter == ",":
        return Dialect(",", encoding=letters)
    rows = list(csv.reader(io.StringIO("\n".join(lines[1:])), delimiter=delimiter))
    columns = [[row[at] for row in rows if len(row) > at] for at in range(max(map(len, rows), default=0))]
    return Dialect(delimiter, any(_has_decimal_commas(column) for column in columns), letters)


def with_points(cells: Sequence[str | None]) -> list[str | None] | None:
    """A column of numbers with decimal commas as numbers with points; None where it is no such column.

    >>> with_points(["1.234,5", None, "7"]), with_points(["1.234"]), with_points(["1,5", "ten"])
    (['1234.5', None, '7'], ['1234'], None)
    """
    known = [cell.strip() for cell in cells if cell is not None and cell.strip().lower() not in WORDS_FOR_NONE]
    if not known or not all(_is_number(cell) for cell in known) or all(_WHOLE.fullmatch(cell) for cell in known):
        return None
    return [
        cell if cell is None or not _is_number(cell.strip()) else cell.strip().replace(".", "").replace(",", ".")
        for cell in cells
    ]


def name_of(value: object) -> str:
    """A cell that is a name, as text: a whole number of a typed column has no point.

    >>> name_of(7.0), name_of("007"), name_of(7.5)
    ('7', '007', '7.5')
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _delimiter(header: str) -> str:
    def cells(sign: str) -> int:
        return len(next(csv.reader([header], delimiter=sign), []))

    if cells(",") > 1:
        return ","
    best = max(_OTHERS, key=cells)
    return best if cells(best) > 1 else ","


def _has_decimal_commas(column: Sequence[str]) -> bool:
    known = [cell.strip() for cell in column if cell.strip().lower() not in WORDS_FOR_NONE]
    return all(_is_number(cell) for cell in known) and any("," in cell for cell in known)


def _is_number(cell: str) -> bool:
    return any(pattern.fullmatch(cell) for pattern in (_WHOLE, _WITH_COMMA, _GROUPED))
