"""A table as CSV, XLSX, Markdown or LaTeX: whatever a name or value holds, it stays text and never becomes a command.

CSV and XLSX keep every digit; Markdown and LaTeX round as the page does.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from mlops_dash.domain.experiments.frame import number_text
from mlops_dash.domain.experiments.tables import Cell, Heading, Spread, Table, TableFormat
from mlops_dash.rendering import workbook as workbooks
from mlops_dash.rendering.workbook import Sheet, legal, named, workbook

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_PARTS: Final = ("mean", "sd", "low", "high")


def written(table: Table, kind: TableFormat) -> bytes:
    """The table in a format; texts are UTF-8."""
    if kind is TableFormat.XLSX:
        return xlsx(table)
    made = {TableFormat.CSV: csv_text, TableFormat.MARKDOWN: markdown, TableFormat.LATEX: latex}[kind](table)
    return made.encode("utf-8", "replace")


# --- CSV --------------------------------------------------------------------------------------------------------------


def csv_text(table: Table) -> str:
    """Comma-separated with a heading line; a spread fills five columns, moments are ISO 8601 in UTC.

    Texts that a spreadsheet would run as a formula get an apostrophe; numbers, negative ones too, stay as they are.
    """
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")  # RFC 4180; also makes it quote both signs
    lines.writerow([harmless(one) for one in _wide_labels(table.headings)])
    for row in table.rows:
        lines.writerow([_csv_cell(one) for one in _wide(table.headings, row)])
    return out.getvalue()


def _csv_cell(cell: Cell) -> str | float | int:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(cell, float) and not math.isfinite(cell):
        return named(cell)
    return harmless(cell) if isinstance(cell, str) else cell  # type: ignore[return-value]  # no spread is left


def harmless(text: str) -> str:
    r"""Text that no spreadsheet takes for a formula.

    >>> harmless("=1+1"), harmless("-0.5"), harmless("-x")
    ("'=1+1", '-0.5', "'-x")
    """
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text.strip()


def _wide_labels(headings: Iterable[Heading]) -> Iterator[str]:
    for one in headings:
        if one.spread:
            yield from (f"{one.label} {part}" for part in _PARTS)
            yield f"{one.label} n"
        else:
            yield one.label


def _wide(headings: Iterable[Heading], row: Iterable[Cell]) -> Iterator[Cell]:
    for heading, cell in zip(headings, row, strict=True):
        if isinstance(cell, Spread):
            yield from (None if math.isnan(one) else one for one in (cell.mean, cell.sd, cell.low, cell.high))
            yield cell.n
        elif heading.spread:
            yield from (None,) * 5
        else:
            yield cell


# --- XLSX -------------------------------------------------------------------------------------------------------------


def xlsx(table: Table) -> bytes:
    """A workbook of one sheet that holds a real table; the same table is the same bytes."""
    rows = [[_number_or_text(cell) for cell in _wide(table.headings, row)] for row in table.rows]
    return workbook([Sheet(table.title or "runs", list(_wide_labels(table.headings)), rows)])


def _number_or_text(cell: Cell) -> workbooks.Cell:
    """A run's parameters are texts: those that are plain numbers become numbers."""
    if isinstance(cell, str) and _is_plain_number(cell):
        return float(cell) if "." in cell else int(cell)
    return cell  # type: ignore[return-value]  # no spread is left


def _is_plain_number(text: str) -> bool:
    """Whether a text is a number that a spreadsheet keeps as it is written: "3" and "-0.1", not "007" or "1_0".

    >>> [_is_plain_number(one) for one in ("3", "-0.1", "007", "1e3", "0.10", "12345678901234567890")]
    [True, True, False, False, False, False]
    """
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text):
        return text != "-0"
    return bool(re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d*[1-9]", text)) and repr(float(text)) == text


# --- Markdown and LaTeX -----------------------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """A pipe table; numbers to the right, a spread as "mean ± half of its interval (n)"."""
    lines = [
        _pipes(markdown_text(one.label) for one in table.headings),
        _pipes("---:" if one.digits is not None else ":---" for one in table.headings),
    ]
    for row in table.rows:
        pairs = zip(row, table.headings, strict=True)
        lines.append(_pipes(_shown(cell, one, "±", "−", markdown_text) for cell, one in pairs))
    return "\n".join(lines) + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown_text(text: str) -> str:
    r"""Text that stays text in a pipe table.

    >>> markdown_text("a|b *c* <d>")
    'a\\|b \\*c\\* &lt;d>'
    """
    said = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", legal(text))
    return " ".join(said.replace("&", "&amp;").replace("<", "&lt;").split())


_LATEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\"": r"\textquotedbl{}", "−": r"$-$", "±": r"$\pm$", "∞": r"$\infty$",
}  # fmt: skip


def latex(table: Table) -> str:
    r"""A booktabs table to be put into a document with \usepackage{booktabs}."""
    sides = "".join("r" if one.digits is not None else "l" for one in table.headings)
    lines = [
        f"% {' '.join(legal(table.title).split())}: {len(table.rows)} rows; needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        _latex_row(_latex_text(one.label) for one in table.headings),
        r"\midrule",
    ]
    for row in table.rows:
        pairs = zip(row, table.headings, strict=True)
        lines.append(_latex_row(_shown(cell, one, r"$\pm$", "$-$", _latex_text) for cell, one in pairs))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    made = list(cells)
    first = (
        f"{{}}{made[0]}" if made and made[0].startswith("[") else made[0] if made else ""
    )  # \\[..] would be a length
    return f"{' & '.join([first, *made[1:]])} \\\\"


def _latex_text(text: str) -> str:
    r"""Text that stays text in LaTeX.

    >>> print(_latex_text("100 % of a_b & {c}"))
    100 \% of a\_b \& \{c\}
    """
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(legal(text).split()))


def _shown(cell: Cell, heading: Heading, pm: str, minus: str, said: Callable[[str], str]) -> str:
    """A cell as people read it: rounded as on the page, a dash for what is missing."""
    if cell is None:
        return "—"
    if isinstance(cell, Spread):
        if math.isnan(cell.mean):
            return "—"
        mean = _rounded(cell.mean, heading.digits, minus)
        n = f"n {cell.n}" if cell.n == cell.n_runs else f"n {cell.n} of {cell.n_runs}"
        half = cell.high - cell.mean
        return f"{mean} ({n})" if math.isnan(half) else f"{mean} {pm} {_rounded(half, heading.digits, minus)} ({n})"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(cell, float | int):
        return _rounded(float(cell), heading.digits, minus) if math.isfinite(cell) else said(number_text(cell))
    return said(cell)


def _rounded(value: float, digits: int | None, minus: str) -> str:
    made = f"{value:.{6 if digits is None else digits}f}"
    return (made[1:] if float(made) == 0 else f"{minus}{made[1:]}") if made.startswith("-") else made
